import type { CacheLookup } from "../../domain/cache/lookup-counts.ts";
import type { Metrics } from "../../ports/metrics.ts";
import type { CacheOutcome } from "./lookup-cache.ts";

/** The outcome of a lookup as the store counts it. */
export function countedAs(outcome: CacheOutcome): CacheLookup {
  if (outcome.kind === "miss") {
    const { reason } = outcome;
    return { kind: "MISS", reason, ...(reason === "GUARD" ? { guardReasons: outcome.guardReasons } : {}) };
  }
  const { id, usage } = outcome.entry;
  return { kind: outcome.match, id, ...(usage === undefined ? {} : { usage }) };
}

/** Counts the outcome in the metrics of this process. */
export function countOutcome(metrics: Metrics, outcome: CacheOutcome): void {
  if (outcome.kind === "miss") {
    metrics.cacheLookup("miss", outcome.reason);
    if (outcome.reason === "GUARD")
      for (const reason of outcome.guardReasons) metrics.cacheGuardRefused(reason);
    return;
  }
  if (outcome.entry.usage !== undefined) metrics.cacheSaved(outcome.entry.usage);
  metrics.cacheLookup(outcome.match === "EXACT" ? "exact" : "semantic", outcome.match);
}
