import { EventEmitter } from "node:events";
import type { Redis } from "ioredis";
import { describe, expect, it } from "vitest";
import { ReconnectWait } from "./reconnect-wait.ts";

/** The part of a connection that is used: its events, and its status, which they follow. */
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
    const wait = new ReconnectWait(redis, LONG);
    becomes("ready");
    expect(wait.reconnecting).toBeUndefined();
    becomes("close");
    const pending = [wait.reconnecting, wait.isConnected()];
    becomes("ready");
    expect(await Promise.all(pending)).toEqual([true, true]);
    expect(wait.reconnecting).toBeUndefined();
  });

  it("is waited for from when the other side has ended it, before it is closed", async () => {
    const { redis, becomes, isEnded } = connection();
    const wait = new ReconnectWait(redis, LONG);
    becomes("ready");
    isEnded();
    const pending = wait.reconnecting;
    expect(pending).toBeDefined();
    becomes("close");
    expect(wait.reconnecting).toBe(pending);
    becomes("ready");
    expect(await pending).toBe(true);
    expect(wait.reconnecting).toBeUndefined();
  });

  it("is waited for once: when the attempt fails, commands do not wait until it is back", async () => {
    const { redis, becomes } = connection();
    const wait = new ReconnectWait(redis, LONG);
    becomes("ready");
    becomes("close");
    const pending = wait.reconnecting;
    becomes("close");
    expect(await pending).toBe(false);
    for (let attempt = 0; attempt < 3; attempt += 1) {
      becomes("close");
      expect(wait.reconnecting).toBeUndefined();
    }
    expect(await wait.isConnected()).toBe(false);
    becomes("ready");
    expect(await wait.isConnected()).toBe(true);
  });

  it("is waited for no longer than the limit", async () => {
    const { redis, becomes } = connection();
    const wait = new ReconnectWait(redis, 1);
    becomes("ready");
    becomes("close");
    // The limit keeps no process alive.
    const alive = setInterval(() => undefined, 1000);
    expect(await wait.reconnecting).toBe(false);
    clearInterval(alive);
    expect(wait.reconnecting).toBeUndefined();
  });

  it("is waited for no more when it is closed for good, or was never there", async () => {
    const { redis, becomes } = connection();
    const wait = new ReconnectWait(redis, LONG);
    becomes("close");
    expect(wait.reconnecting).toBeUndefined();
    becomes("ready");
    becomes("close");
    const pending = wait.reconnecting;
    becomes("end");
    expect(await pending).toBe(false);
  });
});
