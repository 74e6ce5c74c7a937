import { type Random, randomOf } from "../random.ts";

/** What a trace is made of. */
export interface TraceOptions {
  readonly seed: number;
  readonly lookups: number;
  /** Different prompts. */
  readonly keys: number;
  /** Exponent of the Zipf distribution of their popularity. */
  readonly zipf: number;
  /** Standard deviation of the logarithm of what an answer costs; the median is 0.01 dollars. */
  readonly sigma: number;
  /** After so many lookups `drift` of all prompts exchange their ranks. */
  readonly driftEvery: number;
  readonly drift: number;
}

export const TRACE: TraceOptions = {
  seed: 1,
  lookups: 300_000,
  keys: 50_000,
  zipf: 0.9,
  sigma: 1,
  driftEvery: 20_000,
  drift: 0.1,
};

/** Lookups in order, as numbers of prompts; equal options make an equal trace. */
export interface Trace {
  readonly lookups: Int32Array;
  /** Dollars of each prompt's answer. */
  readonly costs: Float64Array;
}

export function traceOf(options: TraceOptions): Trace {
  const { keys, zipf, sigma, driftEvery, drift } = options;
  const random = randomOf(options.seed);
  const cumulative = new Float64Array(keys);
  let total = 0;
  for (let rank = 0; rank < keys; rank += 1) {
    total += (rank + 1) ** -zipf;
    cumulative[rank] = total;
  }
  const ranks = Int32Array.from({ length: keys }, (_, key) => key);
  shuffle(
    random,
    ranks,
    Array.from({ length: keys }, (_, rank) => rank),
  );
  const costs = Float64Array.from({ length: keys }, () => 0.01 * Math.exp(sigma * normal(random)));
  const lookups = new Int32Array(options.lookups);
  for (let at = 0; at < lookups.length; at += 1) {
    if (at > 0 && at % driftEvery === 0) {
      const moved = Array.from({ length: keys }, (_, rank) => rank).filter(() => random() < drift);
      shuffle(random, ranks, moved);
    }
    lookups[at] = ranks[rankAt(cumulative, random() * total)] ?? 0;
  }
  return { lookups, costs };
}

/** Exchanges what lies at the given places. */
function shuffle(random: Random, items: Int32Array, places: readonly number[]): void {
  for (let last = places.length - 1; last > 0; last -= 1) {
    const one = places[last] ?? 0;
    const other = places[Math.floor(random() * (last + 1))] ?? 0;
    [items[one], items[other]] = [items[other] ?? 0, items[one] ?? 0];
  }
}

/** Box-Muller. */
function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

function rankAt(cumulative: Float64Array, point: number): number {
  let [low, high] = [0, cumulative.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((cumulative[middle] ?? 0) < point) low = middle + 1;
    else high = middle;
  }
  return low;
}
