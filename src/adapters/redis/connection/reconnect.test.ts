import { EventEmitter } from "node:events";
import type { Redis } from "ioredis";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Reconnect } from "./reconnect.ts";

/** The part of a connection that is used: its events, and how often it was to connect. */
function connection() {
  const connect = vi.fn(() => Promise.resolve());
  const events = Object.assign(new EventEmitter(), { connect });
  const becomes = (status: "ready" | "end"): void => void events.emit(status);
  return { redis: events as unknown as Redis, connect, becomes };
}

/** Longer than any back-off. */
const LATER_MS = 3000;
/** As long as the first may be, and shorter than the fourth. */
const SOON_MS = 51;

describe("a connection that the library has given up", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("is made again, and again when that fails, with longer pauses", async () => {
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

  it("is made again soon when it was there in between", async () => {
    const { redis, connect, becomes } = connection();
    using _reconnect = new Reconnect(redis);
    for (const times of [1, 2, 3, 4]) {
      becomes("end");
      await vi.advanceTimersByTimeAsync(SOON_MS);
      expect(connect).toHaveBeenCalledTimes(times);
      becomes("ready");
    }
  });

  it("is left alone when it was closed on purpose, before or meanwhile", async () => {
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
