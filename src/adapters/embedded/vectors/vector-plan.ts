/** How a vector search is executed. */
export type VectorPlan =
  /** Every eligible vector is compared. Exact. */
  | { readonly kind: "exact" }
  /** The graph, or else the table of all vectors, proposes this many, of which those that are not eligible fall away. */
  | { readonly kind: "proposed"; readonly candidates: number };

/**
 * A larger namespace gets a graph. The table compares 1,000 vectors of 384 numbers in 0.04 ms, a graph of 10,000 proposes 100
 * in 0.6 ms, and adding a vector to one takes 0.7 ms.
 */
export const GRAPH_ABOVE = 16_000;

/** Comparing this many of the vectors of a namespace, each found by its row, takes some 1.4 ms (384 numbers). */
export const EXACT_LIMIT = 4000;

/** With more proposals than this, comparing all eligible ones is sooner. */
const MAX_CANDIDATES = 2000;

/** Proposals beyond what is needed on average, because the eligible ones are not spread evenly. */
const OVERSAMPLING = 2;

/**
 * Chooses by the size of the filtered set: a small one is compared completely, however large the namespace; for a large
 * one enough rows are proposed for `limit` eligible ones to be expected among them. `stored` counts all vectors
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
  return candidates > MAX_CANDIDATES ? { kind: "exact" } : { kind: "proposed", candidates };
}
