import type { NamespaceKey } from "../access/tenancy.ts";

/** How a lookup ended, as far as it counts. */
export type CacheLookup =
  | { readonly kind: "EXACT" | "SEMANTIC"; readonly id: string }
  | { readonly kind: "MISS" };

/** The lookups of one namespace, added up. */
export interface NamespaceLookups {
  readonly scope: NamespaceKey;
  readonly exactHits: number;
  readonly semanticHits: number;
  readonly misses: number;
  /** When each entry was last served, by id. */
  readonly lastUses: ReadonlyMap<string, number>;
}

interface Adding {
  readonly scope: NamespaceKey;
  readonly counts: Record<CacheLookup["kind"], number>;
  readonly lastUses: Map<string, number>;
}

/**
 * Adds lookups up until a store takes them all at once. Lookups of one entry, and misses of one namespace, make one
 * change however many they are.
 */
export class LookupCounts {
  readonly #namespaces = new Map<string, Adding>();
  #size = 0;

  /** Lookups since the last `take`. */
  get size(): number {
    return this.#size;
  }

  add(scope: NamespaceKey, lookup: CacheLookup, now: number): void {
    const key = keyOf(scope);
    let adding = this.#namespaces.get(key);
    if (adding === undefined) {
      adding = { scope, counts: { EXACT: 0, SEMANTIC: 0, MISS: 0 }, lastUses: new Map() };
      this.#namespaces.set(key, adding);
    }
    this.#size += 1;
    adding.counts[lookup.kind] += 1;
    if (lookup.kind === "MISS") return;
    adding.lastUses.set(lookup.id, Math.max(now, adding.lastUses.get(lookup.id) ?? now));
  }

  /** Drops the lookups of one namespace. */
  forget(scope: NamespaceKey): void {
    const key = keyOf(scope);
    const { EXACT = 0, SEMANTIC = 0, MISS = 0 } = this.#namespaces.get(key)?.counts ?? {};
    this.#namespaces.delete(key);
    this.#size -= EXACT + SEMANTIC + MISS;
  }

  /** Everything so far, which is forgotten here. */
  take(): NamespaceLookups[] {
    const taken = [...this.#namespaces.values()].map(({ scope, counts, lastUses }) => ({
      scope,
      exactHits: counts.EXACT,
      semanticHits: counts.SEMANTIC,
      misses: counts.MISS,
      lastUses,
    }));
    this.#namespaces.clear();
    this.#size = 0;
    return taken;
  }
}

/** Neither name holds a line end. */
function keyOf({ tenant, namespace }: NamespaceKey): string {
  return `${tenant}\n${namespace}`;
}
