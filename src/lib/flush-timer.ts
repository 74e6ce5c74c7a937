/** Says when what is collected in memory is to be written: when there is so much of it, or so long after the first. */
export class FlushTimer {
  readonly #flush: () => void;
  readonly #limits: { readonly size: number; readonly milliseconds: number };
  #timer: NodeJS.Timeout | undefined;

  constructor(flush: () => void, limits: { readonly size: number; readonly milliseconds: number }) {
    this.#flush = flush;
    this.#limits = limits;
  }

  /** Something was added, and so much is to be written now. */
  added(size: number): void {
    if (size >= this.#limits.size) this.#flush();
    else this.#timer ??= setTimeout(this.#flush, this.#limits.milliseconds).unref();
  }

  /** Everything is being written: nothing is due until more is added. */
  reset(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
