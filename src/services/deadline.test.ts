import { describe, expect, it, vi } from "vitest";
import { untilAborted } from "./deadline.ts";

const never = new Promise<never>(() => undefined);

describe("untilAborted", () => {
  it("gives what the promise resolves to", async () => {
    expect(await untilAborted(Promise.resolve(1), new AbortController().signal)).toBe(1);
  });

  it("rejects with what the promise rejects with", async () => {
    const failure = new Error("failed");
    await expect(untilAborted(Promise.reject(failure), new AbortController().signal)).rejects.toBe(failure);
  });

  it("rejects with the signal's reason when that aborts first", async () => {
    const controller = new AbortController();
    const waiting = untilAborted(never, controller.signal);
    const reason = new Error("gone");
    controller.abort(reason);
    await expect(waiting).rejects.toBe(reason);
  });

  it("rejects at once when the signal has aborted already, though the promise has resolved", async () => {
    const reason = new Error("gone");
    await expect(untilAborted(Promise.resolve(1), AbortSignal.abort(reason))).rejects.toBe(reason);
  });

  it("keeps what came before the abort", async () => {
    const controller = new AbortController();
    const waiting = untilAborted(Promise.resolve(1), controller.signal);
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
      const waiting = untilAborted(late.promise, controller.signal);
      controller.abort(new Error("gone"));
      await expect(waiting).rejects.toThrow();
      late.reject(new Error("late"));
      await expect(untilAborted(Promise.reject(new Error("early")), controller.signal)).rejects.toThrow();
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
    await untilAborted(Promise.resolve(1), signal);
    await Promise.resolve();
    expect(removed).toHaveBeenCalledTimes(1);
  });
});
