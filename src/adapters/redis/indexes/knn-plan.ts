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
 * Comparing costs in proportion to the vectors that pass, a graph in proportion to wanted / (share that passes): they cost the
 * same where so many pass as the square root of this x wanted x all vectors of the index. Of 10,000 vectors of 384 numbers
 * (Redis Stack 7.2.0-v9, M 16, EF_CONSTRUCTION 200; microseconds of Redis' one thread; vectors of the hashing embedder, whose
 * nearest a graph finds worst; share: of the true 10 that BATCHES with ef 128 finds):
 *
 * | pass | 50 wanted: ADHOC_BF | BATCHES | share | 100 wanted: ADHOC_BF | BATCHES | share |
 * |---|---|---|---|---|---|---|
 * | 500 | 235 | 2,350 | 0.99 | 262 | 5,079 | 1.00 |
 * | 1,000 | 364 | 1,429 | 0.96 | 459 | 2,777 | 0.99 |
 * | 2,500 | 893 | 1,193 | 0.92 | 1,142 | 1,848 | 0.97 |
 * | 4,000 | 1,324 | 606 | 0.88 | 1,424 | 1,712 | 0.95 |
 * | 10,000 | 1,572 | 601 | 0.90 | 4,820 | 602 | 0.90 |
 */
const EVEN_COST = 20;
/** Fewer are always compared. */
const ADHOC_LEAST = 1000;

/**
 * How much of the true nearest 10, which are most of a page, BATCHES finds of 10,000 texts (LoCoMo, BANKING77; 50 wanted):
 *
 * | ef | 64 | 100 | 128 | 150 | 200 |
 * |---|---|---|---|---|---|
 * | `local`, 256 numbers | 0.968 | 0.986 | 0.993 | 0.994 | 0.997 |
 * | all-MiniLM-L6-v2, 384 numbers | 0.989 | 0.995 | 0.997 | 0.998 | 0.998 |
 * | microseconds of Redis | 420 | 460 | 520 | 530 | 720 |
 */
const EF_PER_NEIGHBOUR = 2.56;

/**
 * Chooses by the size of the filtered set, which may be an upper bound, and of the whole index, which may be a guess. Without a
 * graph, batches would first compare everything in the index, so only the vectors that pass are compared. `efRuntime` is the
 * configured minimum of ef.
 */
export function planKnn(search: {
  readonly algorithm: "HNSW" | "FLAT";
  readonly eligible: number;
  readonly indexed: number;
  readonly limit: number;
  readonly efRuntime: number;
}): KnnPlan {
  const { algorithm, eligible, indexed, limit, efRuntime } = search;
  const even = Math.sqrt(EVEN_COST * limit * Math.max(eligible, indexed));
  if (algorithm === "FLAT" || eligible <= Math.max(ADHOC_LEAST, even)) return { policy: "ADHOC_BF" };
  return { policy: "BATCHES", ef: Math.max(efRuntime, Math.ceil(EF_PER_NEIGHBOUR * limit)) };
}
