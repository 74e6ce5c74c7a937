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

  [Symbol.dispose](): void {
    this.#aborting?.release();
  }

  // One timer and one listener that both go with the lookup: AbortSignal.any and AbortSignal.timeout cost as much as
  // the rest of a lookup, and stay until the time is over.
  #arm(): { readonly controller: AbortController; readonly release: () => void } {
    const controller = new AbortController();
    const call = this.#callSignal();
    const abort = (): void => controller.abort(call.reason);
    const late = (): void => controller.abort(new DOMException("the deadline has passed", "TimeoutError"));
    const timer = setTimeout(late, Math.max(0, this.#limitMs - (performance.now() - this.#start)));
    if (call.aborted) abort();
    else call.addEventListener("abort", abort, { once: true });
    const release = (): void => {
      clearTimeout(timer);
      call.removeEventListener("abort", abort);
    };
    return { controller, release };
  }
}
