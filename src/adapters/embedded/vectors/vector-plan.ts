/** How a vector search is executed. */
export type VectorPlan =
  /** Every eligible vector is compared. Exact. */
  | { readonly kind: "exact" }
  /** A graph proposes this many, of which those that are not eligible fall away. Approximate. */
  | { readonly kind: "graph"; readonly candidates: number };

/** Comparing this many vectors of 384 numbers costs about as much as a graph search. */
export const EXACT_LIMIT = 4000;

/** With more proposals than this, a graph search costs more than comparing all. */
const MAX_CANDIDATES = 2000;

/** Proposals beyond what is needed on average, because the eligible ones are not spread evenly. */
const OVERSAMPLING = 1.5;

/**
 * Chooses by the size of the filtered set: a small one is compared completely, however large the namespace; for a large
 * one the graph proposes enough rows for `limit` eligible ones to be expected among them. `stored` counts all vectors
 * of the namespace, `eligible` those that pass the filter.
 */
export function planVectorSearch(sizes: {
  readonly stored: number;
  readonly eligible: number;
  readonly limit: number;
}): VectorPlan {
  const { stored, eligible, limit } = sizes;
  if (eligible <= EXACT_LIMIT) return { kind: "exact" };
  const candidates = Math.ceil((limit * OVERSAMPLING * stored) / eligible);
  return candidates > MAX_CANDIDATES ? { kind: "exact" } : { kind: "graph", candidates };
}
