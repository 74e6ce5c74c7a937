import { EventEmitter } from "node:events";
import type { Redis } from "ioredis";
import { describe, expect, it } from "vitest";
import { Recovery } from "./reconnect-wait.ts";

/** As far as it is asked: its events, and its status, which they follow. */
function connection() {
  const events = new EventEmitter();
  const redis = Object.assign(events, { status: "wait", stream: { writable: false } });
  const becomes = (status: string): void => {
    redis.status = status;
    redis.stream.writable = status === "ready";
    events.emit(status);
  };
  /** It still counts as ready then. */
  const isEnded = (): void => {
    redis.stream.writable = false;
  };
  return { redis: redis as unknown as Redis, becomes, isEnded };
}

const LONG = 100_000_000;

describe("a connection that breaks", () => {
  it("is waited for until it is there again", async () => {
    const { redis, becomes } = connection();
    const recovery = new Recovery(redis, LONG);
    becomes("ready");
    expect(recovery.attempt).toBeUndefined();
    becomes("close");
    const waiting = [recovery.attempt, recovery.isBack()];
    becomes("ready");
    expect(await Promise.all(waiting)).toEqual([true, true]);
    expect(recovery.attempt).toBeUndefined();
  });

  it("is waited for from when the other side has ended it, before it is closed", async () => {
    const { redis, becomes, isEnded } = connection();
    const recovery = new Recovery(redis, LONG);
    becomes("ready");
    isEnded();
    const waiting = recovery.attempt;
    expect(waiting).toBeDefined();
    becomes("close");
    expect(recovery.attempt).toBe(waiting);
    becomes("ready");
    expect(await waiting).toBe(true);
    expect(recovery.attempt).toBeUndefined();
  });

  it("is waited for once: when the attempt fails, nobody waits until it is back", async () => {
    const { redis, becomes } = connection();
    const recovery = new Recovery(redis, LONG);
    becomes("ready");
    becomes("close");
    const waiting = recovery.attempt;
    becomes("close");
    expect(await waiting).toBe(false);
    for (let attempt = 0; attempt < 3; attempt += 1) {
      becomes("close");
      expect(recovery.attempt).toBeUndefined();
    }
    expect(await recovery.isBack()).toBe(false);
    becomes("ready");
    expect(await recovery.isBack()).toBe(true);
  });

  it("is waited for no longer than the limit", async () => {
    const { redis, becomes } = connection();
    const recovery = new Recovery(redis, 1);
    becomes("ready");
    becomes("close");
    // The limit keeps no process alive.
    const alive = setInterval(() => undefined, 1000);
    expect(await recovery.attempt).toBe(false);
    clearInterval(alive);
    expect(recovery.attempt).toBeUndefined();
  });

  it("is waited for no more when it is closed for good, or was never there", async () => {
    const { redis, becomes } = connection();
    const recovery = new Recovery(redis, LONG);
    becomes("close");
    expect(recovery.attempt).toBeUndefined();
    becomes("ready");
    becomes("close");
    const waiting = recovery.attempt;
    becomes("end");
    expect(await waiting).toBe(false);
  });
});
