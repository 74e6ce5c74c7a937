import type { Argument } from "../connection/client.ts";
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
    ...(["counters", "cacheOrder", "cacheUses", "cacheExpiry", "cacheFields", "cacheSizes"] as const),
    "cacheInvalidations",
  ],
  arguments: ["cacheEntryPrefix", "now"],
});

/** The input of the library. */
export function cacheInput(namespace: NamespaceRedisKeys, now: number) {
  return {
    counters: namespace.counters,
    cacheOrder: namespace.cacheOrder,
    cacheUses: namespace.cacheUses,
    cacheExpiry: namespace.cacheExpiry,
    cacheFields: namespace.cacheFields,
    cacheSizes: namespace.cacheSizes,
    cacheInvalidations: namespace.cacheInvalidations,
    cacheEntryPrefix: namespace.cacheEntries as Argument,
    now: now as Argument,
  };
}
