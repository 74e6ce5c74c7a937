import type { NamespaceKey } from "../../../src/domain/access/tenancy.ts";
import type { Backend } from "../../../src/ports/backend.ts";
import type { CompactionStore } from "../../../src/ports/compaction/compaction-store.ts";
import type { NamespaceCounts, NamespaceStore } from "../../../src/ports/namespace-store.ts";
import { referenceCachePolicyStore, referenceCacheStore } from "./cache-store.ts";
import { referenceCompactionStore } from "./compaction-store.ts";
import { referenceMemories } from "./memories.ts";
import { emptyUniverse, endWaits, idempotently, namespaceAt, type Universe, worldKeyOf } from "./world.ts";

/** The stores of the data that random operations change; the reference has them too. */
export type Stores = Pick<Backend, "memories" | "cache" | "cachePolicies" | "namespaces">;

/**
 * The reference that every store is compared with: slow, in memory, and simple enough to be verified by reading. It passes
 * the same contracts. Expired ones are never swept from it, so its counts of what a namespace holds are the most
 * that a store may answer.
 */
export function referenceStores(
  universe: Universe = emptyUniverse(),
  { maxRevisions }: { readonly maxRevisions?: number } = {},
): Stores & { readonly compactions: CompactionStore } {
  return {
    memories: referenceMemories(universe, maxRevisions),
    cache: referenceCacheStore(universe),
    cachePolicies: referenceCachePolicyStore(universe),
    compactions: referenceCompactionStore(universe),
    namespaces: referenceNamespaceStore(universe),
  };
}

function referenceNamespaceStore(universe: Universe): NamespaceStore {
  const counts = (scope: NamespaceKey): NamespaceCounts => {
    const world = universe.worlds.get(worldKeyOf(scope));
    return { memories: world?.memories.length ?? 0, cacheEntries: world?.entries.size ?? 0 };
  };
  return {
    list: async (tenant, { after, limit }) =>
      [...universe.worlds.keys()]
        .map(namespaceAt)
        .filter((scope) => scope.tenant === tenant && scope.namespace > after)
        .map(({ namespace }) => namespace)
        .sort()
        .slice(0, limit),

    counts: async (scope) => counts(scope),

    delete: async (scope, options) =>
      idempotently<NamespaceCounts, NamespaceCounts>(
        universe,
        // No namespace has this name: these records outlive the namespaces that they are about.
        worldKeyOf({ ...scope, namespace: "" }),
        options,
        () => {
          const current = counts(scope);
          universe.worlds.delete(worldKeyOf(scope));
          universe.requests.delete(worldKeyOf(scope));
          endWaits(universe);
          return { result: current, outcome: current };
        },
        (current) => current,
      ),
  };
}
