/** How Redis goes about the nearest vectors among those that pass a filter. */
export interface KnnPlan {
  /**
   * ADHOC_BF compares every vector that passes: exact, and in proportion to their number. BATCHES takes vectors from
   * the index, nearest first, until enough of them pass: in proportion to how few do.
   */
  readonly policy: "ADHOC_BF" | "BATCHES";
  /** Vectors that a graph keeps in sight while it is searched; undefined: there is no graph. */
  readonly ef: number | undefined;
}

export function planKnn(search: {
  readonly algorithm: "HNSW" | "FLAT";
  /** The size of the filtered set, or a bound on it; undefined: nobody knows. */
  readonly eligible: number | undefined;
  readonly limit: number;
  /** What is configured for the index. */
  readonly efRuntime: number;
}): KnnPlan {
  const { algorithm, eligible, limit, efRuntime } = search;
  const most = ADHOC_LIMITS[algorithm];
  return {
    policy: eligible !== undefined && eligible <= most ? "ADHOC_BF" : "BATCHES",
    ef: algorithm === "HNSW" ? Math.max(efRuntime, EF_PER_NEIGHBOUR * limit) : undefined,
  };
}

const ADHOC_LIMITS = { HNSW: 1500, FLAT: 1500 } as const;
const EF_PER_NEIGHBOUR = 2;
