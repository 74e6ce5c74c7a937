/** Quantiles of the latest values, exactly, over a window of bounded size. */
export class SlidingQuantiles {
  readonly #window: Float64Array;
  #count = 0;

  constructor(size = 1024) {
    this.#window = new Float64Array(size);
  }

  add(value: number): void {
    this.#window[this.#count % this.#window.length] = value;
    this.#count += 1;
  }

  /** The value that this share (0 to 1) of the window does not exceed, by nearest rank; 0 when it is empty. */
  quantile(share: number): number {
    const filled = this.#window.slice(0, Math.min(this.#count, this.#window.length)).sort();
    return filled[Math.max(0, Math.ceil(share * filled.length) - 1)] ?? 0;
  }
}
