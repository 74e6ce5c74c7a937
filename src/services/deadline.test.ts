import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { abortable, Deadline, isOverdue } from "./deadline.ts";

const never = new Promise<never>(() => undefined);

/** A call, and how often it was asked for its signal. */
function watchedCall() {
  const asked = vi.fn(() => new AbortController().signal);
  const call = {
    get signal(): AbortSignal {
      return asked();
    },
  };
  return { call, asked };
}

describe("abortable", () => {
  it("gives what the promise resolves to", async () => {
    expect(await abortable(Promise.resolve(1), new AbortController().signal)).toBe(1);
  });

  it("rejects with what the promise rejects with", async () => {
    const failure = new Error("failed");
    await expect(abortable(Promise.reject(failure), new AbortController().signal)).rejects.toBe(failure);
  });

  it("rejects with the signal's reason when that aborts first", async () => {
    const controller = new AbortController();
    const waiting = abortable(never, controller.signal);
    const reason = new Error("gone");
    controller.abort(reason);
    await expect(waiting).rejects.toBe(reason);
  });

  it("rejects at once when the signal has aborted already, though the promise has resolved", async () => {
    const reason = new Error("gone");
    await expect(abortable(Promise.resolve(1), AbortSignal.abort(reason))).rejects.toBe(reason);
  });

  it("keeps what came before the abort", async () => {
    const controller = new AbortController();
    const waiting = abortable(Promise.resolve(1), controller.signal);
    await Promise.resolve();
    controller.abort(new Error("too late"));
    expect(await waiting).toBe(1);
  });

  it("leaves no failure behind that nobody handles", async () => {
    const unhandled = vi.fn();
    process.on("unhandledRejection", unhandled);
    try {
      const controller = new AbortController();
      const late = Promise.withResolvers<never>();
      const waiting = abortable(late.promise, controller.signal);
      controller.abort(new Error("gone"));
      await expect(waiting).rejects.toThrow();
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

  it("asks for no signal and starts no timer until somebody wants its own", () => {
    const { call, asked } = watchedCall();
    using deadline = new Deadline(100, call);
    expect(asked).not.toHaveBeenCalled();
    expect(vi.getTimerCount()).toBe(0);
    expect(deadline.signal.aborted).toBe(false);
    expect(asked).toHaveBeenCalledTimes(1);
  });

  it("aborts when its time is over, counted from its making", () => {
    using deadline = new Deadline(100, new AbortController());
    vi.advanceTimersByTime(60);
    const { signal } = deadline;
    vi.advanceTimersByTime(39);
    expect(signal.aborted).toBe(false);
    vi.advanceTimersByTime(1);
    expect(signal.reason).toMatchObject({ name: "TimeoutError" });
  });

  it("counts from an earlier start, when one is given", () => {
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

  it("aborts with the call, for the call's reason, at once when that has ended already", () => {
    const call = new AbortController();
    using deadline = new Deadline(100, call);
    const { signal } = deadline;
    const reason = new Error("gone");
    call.abort(reason);
    expect(signal.reason).toBe(reason);
    using late = new Deadline(100, call);
    expect(late.signal.reason).toBe(reason);
  });

  describe("within", () => {
    it("rejects when it takes longer, counted from its making, without asking for a signal", async () => {
      const { call, asked } = watchedCall();
      using deadline = new Deadline(100, call);
      vi.advanceTimersByTime(60);
      const settled = vi.fn();
      const waiting = deadline.within(never).catch((error: unknown) => {
        settled();
        return error;
      });
      await vi.advanceTimersByTimeAsync(39);
      expect(settled).not.toHaveBeenCalled();
      await vi.advanceTimersByTimeAsync(1);
      const error = await waiting;
      expect(error).toMatchObject({ name: "TimeoutError" });
      expect(isOverdue(error)).toBe(true);
      expect(asked).not.toHaveBeenCalled();
    });

    it.each([
      ["a value", (work: PromiseWithResolvers<number>) => work.resolve(1)],
      ["a failure", (work: PromiseWithResolvers<number>) => work.reject(new Error("late"))],
    ])("does nothing with %s that comes late", async (_, end) => {
      const unhandled = vi.fn();
      process.on("unhandledRejection", unhandled);
      try {
        using deadline = new Deadline(100, new AbortController());
        const work = Promise.withResolvers<number>();
        const waiting = deadline.within(work.promise).catch(isOverdue);
        await vi.advanceTimersByTimeAsync(100);
        end(work);
        expect(await waiting).toBe(true);
        await new Promise((resolve) => setImmediate(resolve));
        expect(unhandled).not.toHaveBeenCalled();
      } finally {
        process.off("unhandledRejection", unhandled);
      }
    });

    it("gives what comes in time, and stops its timer", async () => {
      using deadline = new Deadline(100, new AbortController());
      expect(await deadline.within(Promise.resolve(1))).toBe(1);
      const failure = new Error("failed");
      await expect(deadline.within(Promise.reject(failure))).rejects.toBe(failure);
      expect(isOverdue(failure)).toBe(false);
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
