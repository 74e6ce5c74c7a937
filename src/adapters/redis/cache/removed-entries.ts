import type { RemovalMetrics } from "../../../ports/metrics.ts";
import type { Reply } from "../connection/client.ts";
import { listOf, numberOf } from "../connection/replies.ts";

/** How many entries a script has removed because they had expired or were invalidated. */
export interface RemovedEntries {
  readonly expired: number;
  readonly invalidated: number;
}

/** The end of a reply that with_removed in cache-library.lua has completed. */
export function removedEntries(reply: Reply): RemovedEntries {
  const [expired, invalidated] = listOf(reply).slice(-2).map(numberOf);
  return { expired: expired ?? 0, invalidated: invalidated ?? 0 };
}

/** Counts what a script has removed; undefined: it was not run. */
export function countRemoved(metrics: RemovalMetrics, removed: RemovedEntries | undefined): void {
  if (removed === undefined) return;
  if (removed.expired > 0) metrics.cacheRemoved("expired", removed.expired);
  if (removed.invalidated > 0) metrics.cacheRemoved("invalidated", removed.invalidated);
}
