import { EventEmitter } from "node:events";
import type { Redis } from "ioredis";
import { describe, expect, it } from "vitest";
import { ReconnectWait } from "./reconnect-wait.ts";

/** The used part of a connection: its events and its status. */
function connection() {
  const events = new EventEmitter();
  const redis = Object.assign(events, { status: "wait", stream: { writable: false } });
  const becomes = (status: string): void => {
    redis.status = status;
    redis.stream.writable = status === "ready";
    events.emit(status);
  };
  /** Half-closed by the other side; the status is still ready. */
  const isEnded = (): void => {
    redis.stream.writable = false;
  };
  return { redis: redis as unknown as Redis, becomes, isEnded };
}

const LONG = 100_000_000;

describe("a connection that breaks", () => {
  it("makes commands wait until it is reopened", async () => {
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

  it("makes commands wait from the half-close by the other side on", async () => {
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

  it("makes commands wait for one attempt: when it fails, they do not wait", async () => {
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

  it("makes commands wait no longer than the limit", async () => {
    const { redis, becomes } = connection();
    const wait = new ReconnectWait(redis, 1);
    becomes("ready");
    becomes("close");
    // The timer of the limit does not keep the process alive.
    const alive = setInterval(() => undefined, 1000);
    expect(await wait.reconnecting).toBe(false);
    clearInterval(alive);
    expect(wait.reconnecting).toBeUndefined();
  });

  it("makes no command wait when it is closed for good, or was never open", async () => {
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
