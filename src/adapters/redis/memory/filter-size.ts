import type { FilteredSize } from "../../../domain/memory/search-plan.ts";
import { digest } from "../../../lib/digest.ts";
import type { Counters, CounterUpdates } from "./counter-cache.ts";
import type { MemoryQuery } from "./query.ts";
import { namespaceToken } from "./tokens.ts";

/** Which counters say how many memories pass a filter. */
export interface FilterCounters {
  /** Of the namespace, and all that are in `bounds`: their sizes are in the hash NamespaceRedisKeys.sizes. */
  readonly tokens: readonly string[];
  /** Of all memories of the namespace. */
  readonly namespaceToken: string;
  /** Each bounds the number by the sum of the sizes of its tokens. */
  readonly bounds: readonly (readonly string[])[];
  /** The counter of how much of the smallest bound passes, 0 to 1: this process has counted it once. */
  readonly shareName: string;
  /** Whether the filter has no other conditions than the bounds: then all of the one bound passes. */
  readonly isCounted: boolean;
}

/** How many memories pass a filter, as far as the counters are known. */
export interface SizeEstimate {
  /** All memories of the namespace. */
  readonly stored: number | undefined;
  /** At most so many pass. */
  readonly bound: number | undefined;
  /** So many pass. */
  readonly eligible: number | undefined;
  /** The best of these. */
  readonly size: FilteredSize | undefined;
  /** Whether the memories that pass have to be counted, beside the sizes, for `eligible` to be known. */
  readonly needsCount: boolean;
}

const DIGITS = 20;

export function filterCounters(
  namespaceId: string,
  { text, params, counted, isCounted }: MemoryQuery,
): FilterCounters {
  const all = namespaceToken(namespaceId);
  return {
    tokens: [all, ...counted.flat()],
    namespaceToken: all,
    bounds: counted,
    shareName: digest(text, ...[...params.values()].map(String)).slice(0, DIGITS),
    isCounted,
  };
}

/**
 * The smallest bound times the share of it that passes. The share is counted once, in proportion to the number of
 * memories, and used on: both grow.
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

/** Learns the sizes of the tokens of a filter, in their order. */
export function sizeCounters({ tokens }: FilterCounters, sizes: readonly number[]): CounterUpdates {
  return new Map(tokens.map((token, at) => [token, sizes[at] ?? 0]));
}

/** Learns the share from the number of memories that pass. */
export function shareCounter(
  { shareName }: FilterCounters,
  { bound = 0 }: Pick<SizeEstimate, "bound">,
  count: number,
): CounterUpdates {
  // A share of no memories tells nothing about later ones.
  return bound > 0 ? new Map([[shareName, count / bound]]) : new Map();
}
