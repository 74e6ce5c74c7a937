import type { Argument } from "../connection/client.ts";
import { defineLibrary } from "../connection/script.ts";
import type { NamespaceRedisKeys } from "../namespaces/keys.ts";

export const CACHE = defineLibrary({
  file: new URL("./cache-library.lua", import.meta.url),
  keys: ["counters", "cacheOrder", "cacheUses", "cacheExpiry", "cacheFields", "cacheSizes"],
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
    cacheEntryPrefix: namespace.cacheEntries as Argument,
    now: now as Argument,
  };
}
