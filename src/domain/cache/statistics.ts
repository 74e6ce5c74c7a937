import type { CacheUsage } from "./entry.ts";
import type { ReportedOutcome } from "./feedback.ts";
import type { CacheLookup } from "./lookup-counts.ts";

/** Counters of a cache beside hits, misses, stores and evictions. */
export interface CacheDetails {
  /** Misses by reason; reasons that did not occur are absent. */
  readonly missReasons: Readonly<Record<string, number>>;
  /** Misses for which the guard gave a reason; a miss may have several. */
  readonly guardReasons: Readonly<Record<string, number>>;
  /** The cost of generating all served answers, once for each time that they were served. */
  readonly saved: CacheUsage;
  /** Entries that expired, were invalidated (before they expired), or were quarantined. */
  readonly removed: { readonly expired: number; readonly invalidated: number; readonly quarantined: number };
  readonly reports: Readonly<Record<ReportedOutcome, number>>;
}

/**
 * The largest numbers of one answer that are summed, so that no caller can make sums overflow: a day of generation, and a
 * million dollars.
 */
const MAX_GENERATION_MS = 86_400_000;
const MAX_COST_USD = 1_000_000;

/** What a lookup adds to the details, by name. Names are of a fixed set, except that reasons are those of the API. */
export function detailsOf(lookup: CacheLookup): readonly (readonly [name: string, added: number])[] {
  if (lookup.kind === "MISS") {
    const { reason, guardReasons = [] } = lookup;
    return [
      ...(reason === undefined ? [] : [[`miss:${reason}`, 1] as const]),
      ...guardReasons.map((one) => [`guard:${one}`, 1] as const),
    ];
  }
  const { usage } = lookup;
  if (usage === undefined) return NOTHING;
  return [
    ["saved:prompt_tokens", usage.promptTokens],
    ["saved:completion_tokens", usage.completionTokens],
    ["saved:generation_ms", Math.min(usage.generationMs, MAX_GENERATION_MS)],
    ["saved:cost_usd", Math.min(usage.costUsd, MAX_COST_USD)],
  ];
}

const NOTHING: readonly (readonly [string, number])[] = [];

/** The details from counters by name; other counters are ignored. */
export function detailsFrom(counters: ReadonlyMap<string, number>): CacheDetails {
  const value = (name: string): number => counters.get(name) ?? 0;
  return {
    missReasons: withPrefix(counters, "miss:"),
    guardReasons: withPrefix(counters, "guard:"),
    saved: {
      promptTokens: value("saved:prompt_tokens"),
      completionTokens: value("saved:completion_tokens"),
      generationMs: value("saved:generation_ms"),
      costUsd: value("saved:cost_usd"),
    },
    removed: {
      expired: value("removed:expired"),
      invalidated: value("removed:invalidated"),
      quarantined: value("removed:quarantined"),
    },
    reports: {
      CORRECT: value("reports:CORRECT"),
      INCORRECT: value("reports:INCORRECT"),
      STALE: value("reports:STALE"),
    },
  };
}

function withPrefix(counters: ReadonlyMap<string, number>, prefix: string): Record<string, number> {
  return Object.fromEntries(
    [...counters].flatMap(([name, count]) =>
      name.startsWith(prefix) && count !== 0 ? [[name.slice(prefix.length), count] as const] : [],
    ),
  );
}
