import type { CorpusStatistics } from "./bm25.ts";

/** How the nearest vectors were searched. */
export type VectorPolicy =
  /** Every vector that passes the filter was compared: exactly, or all in 8 bits and the nearest of them exactly. */
  | "EXACT"
  /** A graph proposed vectors, and those that pass the filter were compared. Approximate. */
  | "GRAPH"
  /** RediSearch compared every vector that passes the filter, by its id. Exact. */
  | "ADHOC_BF"
  /** RediSearch read batches from the graph until enough vectors passed the filter. Approximate. */
  | "BATCHES"
  /** Every vector that passes the filter was compared: the index of RediSearch has no graph. Exact. */
  | "FLAT";

/** How a store determined how many memories pass a filter. */
export type SizeBasis =
  /** Counted now, or by counters that each write updates. */
  | "COUNTED"
  /** An upper bound. */
  | "UPPER_BOUND"
  /** Estimated from the share that passed an earlier count. */
  | "ESTIMATED";

/** How many memories pass a filter; may include those without a vector, and expired ones that are not swept yet. */
export interface FilteredSize {
  readonly count: number;
  readonly basis: SizeBasis;
}

export interface VectorRetrieverPlan {
  readonly policy: VectorPolicy;
  /** Vectors requested from the graph (GRAPH), or its EF_RUNTIME (BATCHES); 0 without a graph. */
  readonly candidates: number;
  /** Absent: unknown, because the policy does not depend on it. */
  readonly eligible?: FilteredSize;
}

/** How a store executed a search, for operators who analyse a slow or an incomplete answer. */
export interface SearchPlan {
  /** Absent: no vector was compared. */
  readonly vector?: VectorRetrieverPlan;
  /** Terms by which candidates were searched: the rarest of those that occur in any memory, or all of them. */
  readonly terms: readonly string[];
  /**
   * Terms that were left out because they are too common, or could not lift another memory among the candidates; they still
   * count in scores.
   */
  readonly commonTerms: readonly string[];
  /** Whether the namespace was scanned, memory by memory, instead of an index. */
  readonly walked: boolean;
  /** Queries of the indexes: more than one where the first found too little or was planned with wrong sizes. */
  readonly rounds: number;
}

/** The plan for a namespace that does not exist. */
export const EMPTY_PLAN: SearchPlan = { terms: [], commonTerms: [], walked: false, rounds: 0 };

/** The terms of a plan, given those of a query's terms by which candidates were searched. */
export function keywordRetrieverPlan(
  terms: readonly string[],
  chosen: readonly string[],
  { documentFrequencies }: CorpusStatistics,
): Pick<SearchPlan, "terms" | "commonTerms"> {
  const occurs = (term: string): boolean => (documentFrequencies.get(term) ?? 0) > 0;
  return { terms: chosen, commonTerms: terms.filter((term) => occurs(term) && !chosen.includes(term)) };
}
