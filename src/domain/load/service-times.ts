/** How much the latest observation counts; the weight of one halves with every 7 that follow. */
const WEIGHT = 0.1;
/** Before anything has been observed, in milliseconds. */
const FIRST_GUESS_MS = 2;
const LEAST_MS = 0.01;

/**
 * The mean time between one piece of work of a kind and the next, while others wait: that, and not how long one takes
 * alone, is what those behind it wait. As an exponentially weighted moving average.
 */
export class ServiceTimes<K extends string> {
  readonly #means = new Map<K, number>();
  readonly #guesses = new Map<K, number>();

  /** Milliseconds; more than 0, for what costs nothing would never be anybody else's turn. */
  meanMs(kind: K): number {
    return Math.max(LEAST_MS, this.#means.get(kind) ?? this.#guesses.get(kind) ?? FIRST_GUESS_MS);
  }

  observe(kind: K, milliseconds: number): void {
    blend(this.#means, kind, milliseconds);
  }

  /** What can be said as long as none has waited for another. */
  guess(kind: K, milliseconds: number): void {
    if (!this.#means.has(kind)) blend(this.#guesses, kind, milliseconds);
  }
}

function blend<K>(means: Map<K, number>, kind: K, milliseconds: number): void {
  const mean = means.get(kind);
  means.set(kind, mean === undefined ? milliseconds : mean + WEIGHT * (milliseconds - mean));
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

  /** Nothing waits: what was learned of waits is worth less and less. */
  relax(): void {
    this.#factor += CORRECTION_WEIGHT * (1 - this.#factor);
  }
}

const MIN_ESTIMATE_MS = 20;
const MIN_FACTOR = 0.25;
const MAX_FACTOR = 8;
/** Waits follow each other in large numbers, and those that follow are alike. */
const CORRECTION_WEIGHT = 0.03;
