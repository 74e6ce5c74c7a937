import { expect } from "vitest";
import type { Answer, Expected, Scored } from "./answers.ts";

/** Scores are sums of float32 products in an order of the engine's own, and cross the wire as float32. */
const SCORE_TOLERANCE = 1e-4;

/** With score differences below this, rounding decides the rank; see comparableRanking. */
const LEAST_SPREAD = 0.01;

/**
 * Whether the ranking does not depend on rounding. The scores of each retriever are scaled by the distance of its best and
 * its worst score: where that is next to nothing, the last bit of a similarity decides between 0.05 and 1. The scores
 * of words rest on counts of the whole namespace, in which expired memories count until they are swept.
 */
export function comparableRanking(
  ranked: readonly Pick<Scored, "similarity" | "bm25">[],
  hasEnded: boolean,
): boolean {
  const wellSpread = (scores: readonly number[]): boolean =>
    scores.length < 2 || Math.max(...scores) - Math.min(...scores) > LEAST_SPREAD;
  const words = ranked.flatMap(({ bm25 }) => bm25 ?? []);
  const similarities = ranked.flatMap(({ similarity }) => similarity ?? []);
  return wellSpread(words) && wellSpread(similarities) && !(hasEnded && words.length > 0);
}

/**
 * Fails when an answer differs from the reference. Everything must be equal, except for a search: the
 * namespaces of these tests are so small that both retrievers see every memory, so that who may be found is exact; the
 * order is that of the reference wherever two scores differ by more than rounding.
 */
export function expectSame(actual: Answer, expected: Expected): void {
  if (expected.kind === "counts" && actual.kind === "counts") {
    for (const name of ["memories", "cacheEntries"] as const) {
      expect(actual[name]).toBeGreaterThanOrEqual(expected.least[name]);
      expect(actual[name]).toBeLessThanOrEqual(expected.most[name]);
    }
  } else if (expected.kind === "search" && actual.kind === "search") {
    expectRanking(actual.found, expected);
  } else expect(asJson(actual)).toEqual(asJson(expected));
}

/** To a caller -0 is 0, whether it is read back or echoed. */
function asJson(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

function expectRanking(
  found: readonly Scored[],
  { ranked, limit, comparable }: Expected & { readonly kind: "search" },
): void {
  const byId = new Map(ranked.map((one) => [one.id, one]));
  expect(found).toHaveLength(Math.min(limit, ranked.length));
  expect(new Set(found.map(({ id }) => id)).size).toBe(found.length);
  for (const one of found) {
    const known = byId.get(one.id);
    expect(asJson(one.memory)).toEqual(asJson(known?.memory));
    expect(asJson(one.neighbors)).toEqual(asJson(known?.neighbors));
    if (known?.similarity === undefined) expect(one.similarity).toBeUndefined();
    else expect(one.similarity).toBeCloseTo(known.similarity, 5);
    expect(one.bm25 === undefined).toBe(known?.bm25 === undefined);
    if (comparable) expectNear(one.score, known?.score);
  }
  const scores = found.map(({ score }) => score);
  expect(scores).toEqual([...scores].sort((a, b) => b - a));
  if (!comparable) return;
  const last = scores.at(-1) ?? Number.POSITIVE_INFINITY;
  const answered = new Set(found.map(({ id }) => id));
  const better = ranked.filter(({ id, score }) => !answered.has(id) && score > last + 2 * SCORE_TOLERANCE);
  expect(better.map(({ id }) => id)).toEqual([]);
}

function expectNear(actual: number, expected: number | undefined): void {
  expect(Math.abs(actual - (expected ?? Number.NaN))).toBeLessThan(SCORE_TOLERANCE);
}
