import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { abortable, Deadline, isTimeout } from "./deadline.ts";

const never = new Promise<never>(() => undefined);

/** A call, and the reads of its signal. */
function watchedCall() {
  const signalRead = vi.fn(() => new AbortController().signal);
  const call = {
    get signal(): AbortSignal {
      return signalRead();
    },
  };
  return { call, signalRead };
}

describe("abortable", () => {
  it("resolves as the promise", async () => {
    expect(await abortable(Promise.resolve(1), new AbortController().signal)).toBe(1);
  });

  it("rejects as the promise", async () => {
    const failure = new Error("failed");
    await expect(abortable(Promise.reject(failure), new AbortController().signal)).rejects.toBe(failure);
  });

  it("rejects with the signal's reason when that aborts first", async () => {
    const controller = new AbortController();
    const result = abortable(never, controller.signal);
    const reason = new Error("aborted");
    controller.abort(reason);
    await expect(result).rejects.toBe(reason);
  });

  it("rejects at once when the signal has aborted already, though the promise has resolved", async () => {
    const reason = new Error("aborted");
    await expect(abortable(Promise.resolve(1), AbortSignal.abort(reason))).rejects.toBe(reason);
  });

  it("ignores an abort after the promise has resolved", async () => {
    const controller = new AbortController();
    const result = abortable(Promise.resolve(1), controller.signal);
    await Promise.resolve();
    controller.abort(new Error("too late"));
    expect(await result).toBe(1);
  });

  it("causes no unhandled rejection", async () => {
    const unhandled = vi.fn();
    process.on("unhandledRejection", unhandled);
    try {
      const controller = new AbortController();
      const late = Promise.withResolvers<never>();
      const result = abortable(late.promise, controller.signal);
      controller.abort(new Error("aborted"));
      await expect(result).rejects.toThrow();
      late.reject(new Error("late"));
      await expect(abortable(Promise.reject(new Error("early")), controller.signal)).rejects.toThrow();
      // Node reports them once the queue of microtasks is empty.
      await new Promise((resolve) => setImmediate(resolve));
      expect(unhandled).not.toHaveBeenCalled();
    } finally {
      process.off("unhandledRejection", unhandled);
    }
  });

  it("stops listening to the signal when the promise has settled", async () => {
    const { signal } = new AbortController();
    const removed = vi.spyOn(signal, "removeEventListener");
    await abortable(Promise.resolve(1), signal);
    await Promise.resolve();
    expect(removed).toHaveBeenCalledTimes(1);
  });
});

describe("a deadline", () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] }));
  afterEach(() => void vi.useRealTimers());

  it("reads no signal and starts no timer until its own signal is read", () => {
    const { call, signalRead } = watchedCall();
    using deadline = new Deadline(100, call);
    expect(signalRead).not.toHaveBeenCalled();
    expect(vi.getTimerCount()).toBe(0);
    expect(deadline.signal.aborted).toBe(false);
    expect(signalRead).toHaveBeenCalledTimes(1);
  });

  it("aborts after its limit, counted from construction", () => {
    using deadline = new Deadline(100, new AbortController());
    vi.advanceTimersByTime(60);
    const { signal } = deadline;
    vi.advanceTimersByTime(39);
    expect(signal.aborted).toBe(false);
    vi.advanceTimersByTime(1);
    expect(signal.reason).toMatchObject({ name: "TimeoutError" });
  });

  it("counts from an earlier start", () => {
    const start = performance.now();
    vi.advanceTimersByTime(60);
    using deadline = new Deadline(100, new AbortController(), start);
    expect(deadline.time).toBe(start + 100);
    const { signal } = deadline;
    vi.advanceTimersByTime(39);
    expect(signal.aborted).toBe(false);
    vi.advanceTimersByTime(1);
    expect(signal.reason).toMatchObject({ name: "TimeoutError" });
  });

  it("aborts with the call, for the call's reason, at once when that was aborted before", () => {
    const call = new AbortController();
    using deadline = new Deadline(100, call);
    const { signal } = deadline;
    const reason = new Error("aborted");
    call.abort(reason);
    expect(signal.reason).toBe(reason);
    using late = new Deadline(100, call);
    expect(late.signal.reason).toBe(reason);
  });

  describe("within", () => {
    it("rejects after the limit, counted from construction, without reading the signal", async () => {
      const { call, signalRead } = watchedCall();
      using deadline = new Deadline(100, call);
      vi.advanceTimersByTime(60);
      const settled = vi.fn();
      const result = deadline.within(never).catch((error: unknown) => {
        settled();
        return error;
      });
      await vi.advanceTimersByTimeAsync(39);
      expect(settled).not.toHaveBeenCalled();
      await vi.advanceTimersByTimeAsync(1);
      const error = await result;
      expect(error).toMatchObject({ name: "TimeoutError" });
      expect(isTimeout(error)).toBe(true);
      expect(signalRead).not.toHaveBeenCalled();
    });

    it.each([
      ["a value", (work: PromiseWithResolvers<number>) => work.resolve(1)],
      ["a failure", (work: PromiseWithResolvers<number>) => work.reject(new Error("late"))],
    ])("ignores %s after the limit", async (_, end) => {
      const unhandled = vi.fn();
      process.on("unhandledRejection", unhandled);
      try {
        using deadline = new Deadline(100, new AbortController());
        const work = Promise.withResolvers<number>();
        const result = deadline.within(work.promise).catch(isTimeout);
        await vi.advanceTimersByTimeAsync(100);
        end(work);
        expect(await result).toBe(true);
        await new Promise((resolve) => setImmediate(resolve));
        expect(unhandled).not.toHaveBeenCalled();
      } finally {
        process.off("unhandledRejection", unhandled);
      }
    });

    it("settles as a promise that settles in time, and stops its timer", async () => {
      using deadline = new Deadline(100, new AbortController());
      expect(await deadline.within(Promise.resolve(1))).toBe(1);
      const failure = new Error("failed");
      await expect(deadline.within(Promise.reject(failure))).rejects.toBe(failure);
      expect(isTimeout(failure)).toBe(false);
      expect(vi.getTimerCount()).toBe(0);
    });
  });

  it("leaves neither timer nor listener behind", () => {
    const call = new AbortController();
    const removed = vi.spyOn(call.signal, "removeEventListener");
    const deadline = new Deadline(100, call);
    expect(deadline.signal.aborted).toBe(false);
    deadline[Symbol.dispose]();
    expect(vi.getTimerCount()).toBe(0);
    expect(removed).toHaveBeenCalledTimes(1);
  });
});
