import type { ScoreRule } from "../../../domain/cache/eviction.ts";
import type { Argument } from "../connection/client.ts";
import { defineLibrary } from "../connection/script.ts";
import type { NamespaceRedisKeys } from "../namespaces/keys.ts";

export const CACHE = defineLibrary({
  file: new URL("./cache-library.lua", import.meta.url),
  keys: [
    ...(["counters", "cacheOrder", "cacheUses", "cacheUsage", "cacheRemembered"] as const),
    ...(["cacheExpiry", "cacheFields", "cacheSizes", "cacheRefreshing"] as const),
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
    cacheRefreshing: namespace.cacheRefreshing,
    cacheEntryPrefix: namespace.cacheEntries as Argument,
    now: now as Argument,
  };
}
