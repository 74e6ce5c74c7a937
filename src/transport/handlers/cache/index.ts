import { CacheService } from "#gen/recollect/v1/cache_pb.js";
import type { CacheStore } from "../../../ports/cache/cache-store.ts";
import type { EvictionMetrics, FeedbackMetrics, Metrics } from "../../../ports/metrics.ts";
import type { CachePolicyPorts } from "../../../services/cache/cache-policy.ts";
import type { LookupCachePorts } from "../../../services/cache/lookup-cache.ts";
import type { StoreCacheEntryPorts } from "../../../services/cache/store-cache-entry.ts";
import { type ServedService, serve } from "../../handler.ts";
import { deleteCacheEntryHandler } from "./delete-cache-entry.ts";
import { getCacheEntryHandler } from "./get-cache-entry.ts";
import { getCachePolicyHandler } from "./get-cache-policy.ts";
import { getCacheStatsHandler } from "./get-cache-stats.ts";
import { invalidateCacheHandler } from "./invalidate-cache.ts";
import { listCacheEntriesHandler } from "./list-cache-entries.ts";
import { lookupCacheHandler } from "./lookup-cache.ts";
import { reportCacheOutcomeHandler } from "./report-cache-outcome.ts";
import { storeCacheEntryHandler } from "./store-cache-entry.ts";
import { updateCachePolicyHandler } from "./update-cache-policy.ts";

/** The ports of all use cases of CacheService. */
export type CachePorts = Omit<LookupCachePorts, "store"> &
  Omit<StoreCacheEntryPorts, "store"> &
  CachePolicyPorts & {
    readonly store: CacheStore;
    readonly metrics: Metrics & EvictionMetrics & FeedbackMetrics;
  };

/** CacheService. Each handler converts the request, calls one use case, and converts its output. */
export function cacheHandlers(ports: CachePorts): ServedService {
  return serve(CacheService, {
    lookupCache: lookupCacheHandler(ports),
    storeCacheEntry: storeCacheEntryHandler(ports),
    getCacheEntry: getCacheEntryHandler(ports),
    listCacheEntries: listCacheEntriesHandler(ports),
    deleteCacheEntry: deleteCacheEntryHandler(ports),
    reportCacheOutcome: reportCacheOutcomeHandler(ports),
    invalidateCache: invalidateCacheHandler(ports),
    getCacheStats: getCacheStatsHandler(ports),
    getCachePolicy: getCachePolicyHandler(ports),
    updateCachePolicy: updateCachePolicyHandler(ports),
  });
}
