/** How much the latest observation counts; the weight of one halves with every 7 that follow. */
const WEIGHT = 0.1;
/** Before anything has been observed, in milliseconds. */
const FIRST_GUESS_MS = 2;

/** The mean time that work of each kind takes, as an exponentially weighted moving average. */
export class ServiceTimes<K extends string> {
  readonly #means = new Map<K, number>();

  /** Milliseconds. */
  meanMs(kind: K): number {
    return this.#means.get(kind) ?? FIRST_GUESS_MS;
  }

  observe(kind: K, milliseconds: number): void {
    const mean = this.#means.get(kind);
    this.#means.set(kind, mean === undefined ? milliseconds : mean + WEIGHT * (milliseconds - mean));
  }
}

/** Where the estimates of waits have been wrong so far: real waits are so many times as long. */
export class EstimateCorrection {
  #factor = 1;

  get factor(): number {
    return this.#factor;
  }

  /** Work waited for `actualMs`, or more, that was expected to wait for `estimatedMs`. */
  observe(estimatedMs: number, actualMs: number): void {
    // Short waits say little: they are mostly that of the turn of the event loop.
    if (estimatedMs < MIN_ESTIMATE_MS) return;
    const ratio = Math.min(MAX_FACTOR, Math.max(MIN_FACTOR, actualMs / estimatedMs));
    this.#factor += CORRECTION_WEIGHT * (ratio - this.#factor);
  }
}

const MIN_ESTIMATE_MS = 20;
const MIN_FACTOR = 0.25;
const MAX_FACTOR = 8;
/** Waits follow each other in large numbers, and those that follow are alike. */
const CORRECTION_WEIGHT = 0.03;
