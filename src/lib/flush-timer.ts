/** Triggers the flush of a buffer: when it reaches a size, or a time after its first item. */
export class FlushTimer {
  readonly #flush: () => void;
  readonly #limits: { readonly size: number; readonly milliseconds: number };
  #timer: NodeJS.Timeout | undefined;

  constructor(flush: () => void, limits: { readonly size: number; readonly milliseconds: number }) {
    this.#flush = flush;
    this.#limits = limits;
  }

  /** To be called after an addition, with the new size of the buffer. */
  added(size: number): void {
    if (size >= this.#limits.size) this.#flush();
    else this.#timer ??= setTimeout(this.#flush, this.#limits.milliseconds).unref();
  }

  /** To be called when the buffer was taken: no flush until the next addition. */
  reset(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
