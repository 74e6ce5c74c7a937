import type { NamespaceKey } from "../access/tenancy.ts";

/** The outcome of a lookup that is counted. */
export type CacheLookup =
  | { readonly kind: "EXACT" | "SEMANTIC"; readonly id: string }
  | { readonly kind: "MISS" };

/** Counts of the lookups of one namespace. */
export interface NamespaceLookups {
  readonly scope: NamespaceKey;
  readonly exactHits: number;
  readonly semanticHits: number;
  readonly misses: number;
  /** When each entry was last served, by id. */
  readonly lastUses: ReadonlyMap<string, number>;
}

interface Counting {
  readonly scope: NamespaceKey;
  readonly counts: Record<CacheLookup["kind"], number>;
  readonly lastUses: Map<string, number>;
}

/**
 * Counts lookups until a store writes all counts in one batch. All lookups of one entry, and all misses of one namespace,
 * make one change.
 */
export class LookupCounts {
  readonly #namespaces = new Map<string, Counting>();
  #size = 0;

  /** Lookups since the last `take`. */
  get size(): number {
    return this.#size;
  }

  add(scope: NamespaceKey, lookup: CacheLookup, now: number): void {
    const key = keyOf(scope);
    let counting = this.#namespaces.get(key);
    if (counting === undefined) {
      counting = { scope, counts: { EXACT: 0, SEMANTIC: 0, MISS: 0 }, lastUses: new Map() };
      this.#namespaces.set(key, counting);
    }
    this.#size += 1;
    counting.counts[lookup.kind] += 1;
    if (lookup.kind === "MISS") return;
    counting.lastUses.set(lookup.id, Math.max(now, counting.lastUses.get(lookup.id) ?? now));
  }

  /** Drops the lookups of one namespace. */
  forget(scope: NamespaceKey): void {
    const key = keyOf(scope);
    const { EXACT = 0, SEMANTIC = 0, MISS = 0 } = this.#namespaces.get(key)?.counts ?? {};
    this.#namespaces.delete(key);
    this.#size -= EXACT + SEMANTIC + MISS;
  }

  /** Removes and returns all counts. */
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

/** Unique: neither name contains a line end. */
function keyOf({ tenant, namespace }: NamespaceKey): string {
  return `${tenant}\n${namespace}`;
}
