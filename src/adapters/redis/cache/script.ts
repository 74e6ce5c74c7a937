import { DEFAULT_COST, MAX_USES, type ScoreRule } from "../../../domain/cache/eviction.ts";
import type { RecollectError } from "../../../domain/errors.ts";
import type { Argument } from "../connection/client.ts";
import { unavailable } from "../connection/errors.ts";
import { defineLibrary } from "../connection/script.ts";
import type { NamespaceRedisKeys } from "../namespaces/keys.ts";

/** Functions about the invalidations of a namespace, whose keys are their arguments. */
export const INVALIDATION = defineLibrary({
  file: new URL("./invalidation-library.lua", import.meta.url),
});

/** Needs INVALIDATION before it. */
export const CACHE = defineLibrary({
  file: new URL("./cache-library.lua", import.meta.url),
  keys: [
    ...(["counters", "cacheOrder", "cacheUses", "cacheUsage", "cacheRemembered"] as const),
    ...(["cacheExpiry", "cacheFields", "cacheSizes", "cacheInvalidations", "cacheRefreshing"] as const),
  ],
  arguments: ["cacheEntryPrefix", "now"],
});

/** Scores of entries; used with CACHE. */
export const SCORES = defineLibrary({
  file: new URL("./scores-library.lua", import.meta.url),
  arguments: ["maxUses", "defaultCost"],
});

/** A rule as scripts read it. */
export function packRule(rule: ScoreRule): string {
  return JSON.stringify(rule);
}

/** The input of the library. */
export function cacheInput(namespace: NamespaceRedisKeys, now: number) {
  return {
    counters: namespace.counters,
    cacheOrder: namespace.cacheOrder,
    cacheUses: namespace.cacheUses(),
    cacheUsage: namespace.cacheUsage,
    cacheRemembered: namespace.cacheRemembered,
    cacheExpiry: namespace.cacheExpiry,
    cacheFields: namespace.cacheFields,
    cacheSizes: namespace.cacheSizes,
    cacheInvalidations: namespace.cacheInvalidations,
    cacheRefreshing: namespace.cacheRefreshing,
    cacheEntryPrefix: namespace.cacheEntries as Argument,
    now: now as Argument,
  };
}

/** See scores-library.lua. */
export const SCORE_LIMITS = { maxUses: MAX_USES, defaultCost: DEFAULT_COST };

/** Steps of one call. Each evicts a bounded number of entries. */
export const MAX_STEPS = 1000;

export function tooMuchToRemove(): RecollectError {
  return unavailable("too many cache entries have to be removed for one call");
}
