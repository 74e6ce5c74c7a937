import type { CallContext } from "./call.ts";

export { abortable } from "../lib/abort.ts";

/**
 * A time limit inside a call: its signal aborts when the call's does, or after the limit, whichever comes first. The limit
 * starts at construction, or at `start`, such as the arrival of the call. The signal is created at its first use, which
 * most cache lookups do not need. Disposing removes the listener and the timer.
 */
export class Deadline implements Disposable {
  readonly #limitMs: number;
  readonly #call: Pick<CallContext, "signal">;
  readonly #start: number;
  #aborting: { readonly controller: AbortController; readonly release: () => void } | undefined;

  /** `start`: on the clock of `performance.now`. */
  constructor(limitMs: number, call: Pick<CallContext, "signal">, start = performance.now()) {
    this.#limitMs = limitMs;
    this.#call = call;
    this.#start = start;
  }

  /** The end of the limit, on the clock of `performance.now`. */
  get time(): number {
    return this.#start + this.#limitMs;
  }

  get signal(): AbortSignal {
    this.#aborting ??= this.#startAborting();
    return this.#aborting.controller.signal;
  }

  /**
   * Settles as `promise`, or rejects after the limit (see isTimeout). Takes only a timer (0.5 us) and ignores the signal of
   * the call: for short work that takes no signal.
   */
  within<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(timeoutError()), this.#remainingMs);
      promise.then(
        (value) => {
          clearTimeout(timer);
          resolve(value);
        },
        (error: unknown) => {
          clearTimeout(timer);
          reject(error);
        },
      );
    });
  }

  [Symbol.dispose](): void {
    this.#aborting?.release();
  }

  get #remainingMs(): number {
    return Math.max(0, this.time - performance.now());
  }

  // One timer and one listener, both removed by dispose: AbortSignal.any and AbortSignal.timeout take as long as the rest
  // of a lookup, and stay until the limit.
  #startAborting(): { readonly controller: AbortController; readonly release: () => void } {
    const controller = new AbortController();
    const call = this.#call.signal;
    const abort = (): void => controller.abort(call.reason);
    const timer = setTimeout(() => controller.abort(timeoutError()), this.#remainingMs);
    if (call.aborted) abort();
    else call.addEventListener("abort", abort, { once: true });
    const release = (): void => {
      clearTimeout(timer);
      call.removeEventListener("abort", abort);
    };
    return { controller, release };
  }
}

/** Whether an error is the timeout of a Deadline. */
export function isTimeout(error: unknown): boolean {
  return error instanceof DOMException && error.name === "TimeoutError";
}

function timeoutError(): DOMException {
  return new DOMException("the deadline has passed", "TimeoutError");
}
