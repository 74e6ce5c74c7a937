import type { CorpusStatistics } from "./bm25.ts";

/** How the nearest vectors were sought. */
export type VectorPolicy =
  /** Every vector that passes the filter was compared. Exact. */
  | "EXACT"
  /** A graph proposed vectors, and those that pass were compared. Approximate. */
  | "GRAPH"
  /** RediSearch compared every vector that passes, by its id. Exact. */
  | "ADHOC_BF"
  /** RediSearch took batches from the graph until enough of them passed. Approximate. */
  | "BATCHES"
  /** As ADHOC_BF, however many pass: the index of RediSearch has no graph. Exact. */
  | "FLAT";

/** How a store knows how many memories pass a filter. */
export type SizeBasis =
  /** Counted now, or by counters that are kept with each write. */
  | "COUNTED"
  /** Not more than that. */
  | "UPPER_BOUND"
  /** By the share that passed when it was counted once. */
  | "ESTIMATED";

/** How many memories pass a filter; those without a vector, and expired ones that are not swept yet, may be among them. */
export interface FilteredSize {
  readonly count: number;
  readonly basis: SizeBasis;
}

export interface VectorRetrieverPlan {
  readonly policy: VectorPolicy;
  /** Vectors that the graph was asked for (GRAPH), or kept in sight (BATCHES: EF_RUNTIME); 0 without a graph. */
  readonly candidates: number;
  /** Absent: not known, because the policy does not depend on it. */
  readonly eligible?: FilteredSize;
}

/** How a store went about a search: what its operator needs to understand a slow or an incomplete answer. */
export interface SearchPlan {
  /** Absent: no vector was compared. */
  readonly vector?: VectorRetrieverPlan;
  /** Terms of the query that candidates were asked for by; the rarest of those that stand in any memory. */
  readonly terms: readonly string[];
  /** Terms of the query that were left out because they are too common; they still count in scores. */
  readonly commonTerms: readonly string[];
  /** Whether the namespace was gone through, memory by memory, in place of an index. */
  readonly walked: boolean;
  /** How often the indexes were asked: again where the first plan found too little or went by sizes that were wrong. */
  readonly rounds: number;
}

/** Of a namespace that is not there. */
export const NOTHING_ASKED: SearchPlan = { terms: [], commonTerms: [], walked: false, rounds: 0 };

/** What chooseTerms made of the terms of a query. */
export function keywordRetrieverPlan(
  terms: readonly string[],
  chosen: readonly string[],
  { documentFrequencies }: CorpusStatistics,
): Pick<SearchPlan, "terms" | "commonTerms"> {
  const isKnown = (term: string): boolean => (documentFrequencies.get(term) ?? 0) > 0;
  return { terms: chosen, commonTerms: terms.filter((term) => isKnown(term) && !chosen.includes(term)) };
}
