import type { FilteredSize } from "../../../domain/memory/search-plan.ts";
import type { Counters, CounterUpdates } from "./counter-cache.ts";
import type { MemoryQuery } from "./query.ts";
import { namespaceToken } from "./tokens.ts";

/** The counters that bound or count the memories that pass a filter. */
export interface FilterCounters {
  /** The token of the namespace, and all in `bounds`: their sizes are in the hash NamespaceRedisKeys.sizes. */
  readonly tokens: readonly string[];
  /** The token of all memories of the namespace. */
  readonly namespaceToken: string;
  /** Each is an upper bound: the sum of the sizes of its tokens. */
  readonly bounds: readonly (readonly string[])[];
  /** The name of the cached share of the smallest bound that passes, 0 to 1. */
  readonly shareName: string;
  /** Whether the filter has no other conditions than the bounds: then all of the one bound passes. */
  readonly isCounted: boolean;
}

/** An estimate of how many memories pass a filter, by the cached counters. */
export interface SizeEstimate {
  /** All memories of the namespace. */
  readonly stored: number | undefined;
  /** Upper bound on the memories that pass. */
  readonly bound: number | undefined;
  /** Number of memories that pass. */
  readonly eligible: number | undefined;
  /** The best of these. */
  readonly size: FilteredSize | undefined;
  /** Whether the memories that pass have to be counted, beside the sizes, for `eligible` to be known. */
  readonly needsCount: boolean;
}

export function filterCounters(
  namespaceId: string,
  { counted, isCounted, shareName }: MemoryQuery,
): FilterCounters {
  const all = namespaceToken(namespaceId);
  return {
    tokens: [all, ...counted.flat()],
    namespaceToken: all,
    bounds: counted,
    shareName,
    isCounted,
  };
}

/**
 * The smallest bound times its share that passes. The share is counted once and then reused, because both numbers grow
 * proportionally.
 */
export function estimateSize(filter: FilterCounters, counters: Counters): SizeEstimate {
  const bounds = filter.bounds.map((tokens) => sumOf(tokens.map(counters)));
  const known = bounds.filter((one) => one !== undefined);
  const bound = known.length === 0 ? undefined : Math.min(...known);
  const countedShare = counters(filter.shareName);
  const share = countedShare ?? (filter.isCounted ? 1 : undefined);
  const isKnown = bound !== undefined && share !== undefined && !bounds.includes(undefined);
  const eligible = bound === 0 ? 0 : isKnown ? bound * share : undefined;
  return {
    stored: counters(filter.namespaceToken),
    bound,
    eligible,
    size: bestSize(filter, { bound, eligible, isEstimated: countedShare !== undefined }),
    needsCount: share === undefined,
  };
}

function bestSize(
  { bounds }: FilterCounters,
  {
    bound,
    eligible,
    isEstimated,
  }: Pick<SizeEstimate, "bound" | "eligible"> & { readonly isEstimated: boolean },
): FilteredSize | undefined {
  if (bound === undefined) return undefined;
  if (eligible === undefined) return { count: bound, basis: "UPPER_BOUND" };
  if (isEstimated) return { count: Math.round(eligible), basis: "ESTIMATED" };
  return { count: eligible, basis: bounds.length === 1 ? "COUNTED" : "UPPER_BOUND" };
}

/** Undefined when one of them is. */
function sumOf(sizes: readonly (number | undefined)[]): number | undefined {
  let sum = 0;
  for (const size of sizes) {
    if (size === undefined) return undefined;
    sum += size;
  }
  return sum;
}

/** Counter updates from the sizes of the tokens of a filter, in their order. */
export function sizeCounters({ tokens }: FilterCounters, sizes: readonly number[]): CounterUpdates {
  return new Map(tokens.map((token, at) => [token, sizes[at] ?? 0]));
}

/** The counter update of the share, from the number of memories that pass. */
export function shareCounter(
  { shareName }: FilterCounters,
  { bound = 0 }: Pick<SizeEstimate, "bound">,
  count: number,
): CounterUpdates {
  // A share of zero memories says nothing about later ones.
  return bound > 0 ? new Map([[shareName, count / bound]]) : new Map();
}
