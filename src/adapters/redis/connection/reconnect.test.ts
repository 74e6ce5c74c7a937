import { EventEmitter } from "node:events";
import type { Redis } from "ioredis";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Reconnect } from "./reconnect.ts";

/** The used part of a connection: its events, and the number of connects. */
function connection() {
  const connect = vi.fn(() => Promise.resolve());
  const events = Object.assign(new EventEmitter(), { connect });
  const becomes = (status: "ready" | "end"): void => void events.emit(status);
  return { redis: events as unknown as Redis, connect, becomes };
}

/** Longer than any backoff. */
const LATER_MS = 3000;
/** As long as the first may be, and shorter than the fourth. */
const SOON_MS = 51;

describe("a connection that the library has given up", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("is reopened, and retried with longer pauses when that fails", async () => {
    const { redis, connect, becomes } = connection();
    using _reconnect = new Reconnect(redis);
    connect.mockRejectedValue(new Error("still not"));
    becomes("end");
    expect(connect).toHaveBeenCalledTimes(0);
    await vi.advanceTimersByTimeAsync(SOON_MS);
    expect(connect).toHaveBeenCalledTimes(1);
    for (const times of [2, 3]) {
      becomes("end");
      await vi.advanceTimersByTimeAsync(LATER_MS);
      expect(connect).toHaveBeenCalledTimes(times);
    }
    becomes("end");
    await vi.advanceTimersByTimeAsync(SOON_MS);
    expect(connect).toHaveBeenCalledTimes(3);
  });

  it("is reopened soon after a successful connect", async () => {
    const { redis, connect, becomes } = connection();
    using _reconnect = new Reconnect(redis);
    for (const times of [1, 2, 3, 4]) {
      becomes("end");
      await vi.advanceTimersByTimeAsync(SOON_MS);
      expect(connect).toHaveBeenCalledTimes(times);
      becomes("ready");
    }
  });

  it("is not reopened when it was closed on purpose, before or meanwhile", async () => {
    for (const order of ["before", "meanwhile"]) {
      const { redis, connect, becomes } = connection();
      const reconnect = new Reconnect(redis);
      if (order === "meanwhile") becomes("end");
      reconnect[Symbol.dispose]();
      becomes("end");
      await vi.advanceTimersByTimeAsync(LATER_MS);
      expect(connect).not.toHaveBeenCalled();
    }
  });
});
