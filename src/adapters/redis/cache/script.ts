import type { Argument } from "../connection/client.ts";
import type { Script } from "../connection/script.ts";
import type { NamespaceKeys } from "../namespaces/keys.ts";
import type { NamespaceScript } from "../namespaces/namespace-ids.ts";

/** What lua/cache.lua takes of keys. */
export function cacheKeys(namespace: NamespaceKeys): readonly string[] {
  return [
    namespace.counters,
    namespace.cacheOrder,
    namespace.cacheUses,
    namespace.cacheEnding,
    namespace.cacheFacts,
    namespace.cacheSizes,
  ];
}

/** The same of arguments. */
export function cacheArguments(namespace: NamespaceKeys, now: number): readonly Argument[] {
  return [namespace.cacheEntries, now];
}

/** A script about all entries of a namespace. */
export function cacheScript(script: Script, now: number): NamespaceScript {
  return { script, keys: cacheKeys, args: (namespace) => cacheArguments(namespace, now) };
}
