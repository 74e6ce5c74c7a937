/** How Redis finds the nearest vectors among those that pass a filter. */
export type KnnPlan =
  /** Every vector that passes is compared: exact, at a cost proportional to their number. */
  | { readonly policy: "ADHOC_BF" }
  /**
   * The graph yields vectors, nearest first, until enough of them pass: approximate, and slower the fewer pass. `ef` is
   * the size of its candidate list.
   */
  | { readonly policy: "BATCHES"; readonly ef: number };

/**
 * With a graph, at most so many vectors are compared per result, and at least so many. With
 * 384 numbers and 100 wanted (Redis Stack 7.2.0-v9, M 16, EF_CONSTRUCTION 200; microseconds of Redis' one thread, and
 * the share of the true 100 among what was found with ef 400, but 200 in the rows of 100 and of 5,000):
 *
 * | pass of 10,000 | ADHOC_BF | BATCHES | share | pass of 50,000 | ADHOC_BF | BATCHES | share |
 * |---|---|---|---|---|---|---|---|
 * | 100 | 321 | 6,110 | 1.00 | 500 | 597 | 18,033 | 1.00 |
 * | 500 | 432 | 3,028 | 1.00 | 2,500 | 1,267 | 7,575 | 0.94 |
 * | 2,000 | 803 | 1,981 | 0.96 | 10,000 | 4,934 | 3,711 | 0.84 |
 * | 5,000 | 1,434 | 1,362 | 0.86 | 25,000 | 9,537 | 2,892 | 0.87 |
 * | 10,000 | 1,589 | 1,660 | 0.96 | 50,000 | 5,886 | 2,350 | 0.91 |
 *
 * With 1,536 numbers, of 10,000: 5,000 pass at 3,738 and 4,693 (0.94), 10,000 at 4,082 and 5,042 (0.94).
 */
const ADHOC_PER_NEIGHBOUR = 100;
const ADHOC_LEAST = 1000;

/**
 * With 384 numbers of all-MiniLM-L6-v2, 10,000 memories and 100 wanted: ef 128 takes 1.2 ms of Redis and finds 0.968 of the
 * true 100, ef 400 takes 2.7 ms and finds 0.998; the true 10, which are most of a page, are found by both.
 */
const EF_PER_NEIGHBOUR = 1.28;

/**
 * Chooses by the size of the filtered set, which may be an upper bound. Without a graph, batches would first compare
 * everything in the index, so only the vectors that pass are compared. `efRuntime` is the configured minimum of ef.
 */
export function planKnn(search: {
  readonly algorithm: "HNSW" | "FLAT";
  readonly eligible: number;
  readonly limit: number;
  readonly efRuntime: number;
}): KnnPlan {
  const { algorithm, eligible, limit, efRuntime } = search;
  const isFew = eligible <= Math.max(ADHOC_LEAST, ADHOC_PER_NEIGHBOUR * limit);
  if (algorithm === "FLAT" || isFew) return { policy: "ADHOC_BF" };
  return { policy: "BATCHES", ef: Math.max(efRuntime, Math.ceil(EF_PER_NEIGHBOUR * limit)) };
}
