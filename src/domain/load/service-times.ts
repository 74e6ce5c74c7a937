/** Weight of the latest observation in the moving average: the weight of an observation halves with every 7 later ones. */
const WEIGHT = 0.1;
/** The mean before the first observation, in milliseconds. */
const FIRST_GUESS_MS = 2;
const LEAST_MS = 0.01;

/**
 * The mean time between the start of one piece of work of a kind and that of the next, while work is queued: queued work
 * is delayed by this, not by the duration of a piece on its own. An exponentially weighted moving average.
 */
export class ServiceTimes<K extends string> {
  readonly #means = new Map<K, number>();
  readonly #guesses = new Map<K, number>();

  /** Milliseconds; more than 0, because with a cost of 0 one key would always be the next. */
  meanMs(kind: K): number {
    return Math.max(LEAST_MS, this.#means.get(kind) ?? this.#guesses.get(kind) ?? FIRST_GUESS_MS);
  }

  observe(kind: K, milliseconds: number): void {
    blend(this.#means, kind, milliseconds);
  }

  /** An estimate, used until `observe` was called for this kind. */
  guess(kind: K, milliseconds: number): void {
    if (!this.#means.has(kind)) blend(this.#guesses, kind, milliseconds);
  }
}

function blend<K>(means: Map<K, number>, kind: K, milliseconds: number): void {
  const mean = means.get(kind);
  means.set(kind, mean === undefined ? milliseconds : mean + WEIGHT * (milliseconds - mean));
}

/** The ratio of real to estimated queueing delays, as a moving average. */
export class EstimateCorrection {
  #factor = 1;

  get factor(): number {
    return this.#factor;
  }

  /** Work was queued for `actualMs` or more; the estimate was `estimatedMs`. */
  observe(estimatedMs: number, actualMs: number): void {
    // Short delays are mostly one tick of the event loop.
    if (estimatedMs < MIN_ESTIMATE_MS) return;
    const ratio = Math.min(MAX_FACTOR, Math.max(MIN_FACTOR, actualMs / estimatedMs));
    this.#factor += CORRECTION_WEIGHT * (ratio - this.#factor);
  }

  /** Moves the ratio towards 1; called when the queue is empty. */
  relax(): void {
    this.#factor += CORRECTION_WEIGHT * (1 - this.#factor);
  }
}

const MIN_ESTIMATE_MS = 20;
const MIN_FACTOR = 0.25;
const MAX_FACTOR = 8;
/** Small, because consecutive delays are many and similar. */
const CORRECTION_WEIGHT = 0.03;
