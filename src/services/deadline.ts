import type { CallContext } from "./call.ts";

export { abortable } from "../lib/abort.ts";

/**
 * A time limit of its own inside a call: its signal aborts when the call's does, or when the time is over, whichever
 * comes first. Counts from its making, or from `start`, such as the arrival of the call, so that what it waited for
 * before counts too; costs nothing until somebody asks for the signal, which most cache lookups never do. Disposing it
 * lets go of the call's signal and of the timer.
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

  /** When the time is over, on the clock of `performance.now`. */
  get time(): number {
    return this.#start + this.#limitMs;
  }

  get signal(): AbortSignal {
    this.#aborting ??= this.#arm();
    return this.#aborting.controller.signal;
  }

  /**
   * What `promise` resolves or rejects with, or a rejection when the time is over (see isOverdue). It costs a timer
   * alone (0.5 us) and asks for no signal of the call, so it does not see that the call has ended: for work that is short
   * and takes no signal.
   */
  within<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(overdue()), this.#leftMs);
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

  get #leftMs(): number {
    return Math.max(0, this.time - performance.now());
  }

  // One timer and one listener that both go with the lookup: AbortSignal.any and AbortSignal.timeout cost as much as
  // the rest of a lookup, and stay until the time is over.
  #arm(): { readonly controller: AbortController; readonly release: () => void } {
    const controller = new AbortController();
    const call = this.#call.signal;
    const abort = (): void => controller.abort(call.reason);
    const timer = setTimeout(() => controller.abort(overdue()), this.#leftMs);
    if (call.aborted) abort();
    else call.addEventListener("abort", abort, { once: true });
    const release = (): void => {
      clearTimeout(timer);
      call.removeEventListener("abort", abort);
    };
    return { controller, release };
  }
}

/** Whether something failed because its time was over. */
export function isOverdue(error: unknown): boolean {
  return error instanceof DOMException && error.name === "TimeoutError";
}

function overdue(): DOMException {
  return new DOMException("the deadline has passed", "TimeoutError");
}
