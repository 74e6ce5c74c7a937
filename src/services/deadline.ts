export { untilAborted } from "../domain/until-aborted.ts";

/**
 * A time limit of its own inside a call: its signal aborts when the call's does, or when the time is over, whichever
 * comes first. Counts from its making; costs nothing until somebody asks for the signal, which most cache lookups
 * never do. Disposing it lets go of the call's signal and of the timer.
 */
export class Deadline implements Disposable {
  readonly #limitMs: number;
  readonly #callSignal: () => AbortSignal;
  readonly #start = performance.now();
  #aborting: { readonly controller: AbortController; readonly release: () => void } | undefined;

  constructor(limitMs: number, callSignal: () => AbortSignal) {
    this.#limitMs = limitMs;
    this.#callSignal = callSignal;
  }

  get signal(): AbortSignal {
    this.#aborting ??= this.#arm();
    return this.#aborting.controller.signal;
  }

  /**
   * What `promise` resolves to, or a rejection when the time is over. It costs a timer alone, and so does not see that
   * the call has ended: for work that is short, and takes no signal.
   */
  within<T>(promise: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
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
    return Math.max(0, this.#limitMs - (performance.now() - this.#start));
  }

  // One timer and one listener that both go with the lookup: AbortSignal.any and AbortSignal.timeout cost as much as
  // the rest of a lookup, and stay until the time is over.
  #arm(): { readonly controller: AbortController; readonly release: () => void } {
    const controller = new AbortController();
    const call = this.#callSignal();
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
