import { dot } from "../embedding/vector.ts";

/** A search result and its vector. */
export interface Diverse {
  /** The score of its ranking, not negative; higher is better. */
  readonly score: number;
  /** Of unit length; undefined: it has none, and counts as different from all others. */
  readonly vector: Float32Array | undefined;
}

export interface Chosen<One> {
  readonly one: One;
  /** Its greatest similarity to a result before it, 0..1; 0 for the first. */
  readonly redundancy: number;
}

/**
 * Chooses `limit` results, in order, that are relevant and differ from each other: maximal marginal relevance (Carbonell and
 * Goldstein 1998). The next one is always that with the greatest (1 - diversity) * relevance - diversity * redundancy, where
 * relevance is its share of the best score; of equal ones the better ranked. `ranked` is in order of score.
 */
export function diversify<One extends Diverse>(
  ranked: readonly One[],
  diversity: number,
  limit: number,
): Chosen<One>[] {
  const best = ranked[0]?.score ?? 0;
  const left = ranked.map((one) => ({
    one,
    relevance: best === 0 ? 0 : one.score / best,
    redundancy: 0,
  }));
  const chosen: Chosen<One>[] = [];
  while (left.length > 0 && chosen.length < limit) {
    const value = ({ relevance, redundancy }: (typeof left)[number]): number =>
      (1 - diversity) * relevance - diversity * redundancy;
    let next = 0;
    for (const [at, candidate] of left.entries()) {
      if (value(candidate) > value(left[next] as (typeof left)[number])) next = at;
    }
    const [taken] = left.splice(next, 1) as [(typeof left)[number]];
    chosen.push({ one: taken.one, redundancy: taken.redundancy });
    for (const candidate of left) {
      candidate.redundancy = Math.max(candidate.redundancy, similarity(candidate.one, taken.one));
    }
  }
  return chosen;
}

function similarity({ vector: a }: Diverse, { vector: b }: Diverse): number {
  return a === undefined || b === undefined ? 0 : Math.min(1, Math.max(0, dot(a, b)));
}
