import { mapKeyOf, type NamespaceKey } from "../access/tenancy.ts";
import type { CacheUsage } from "./entry.ts";
import { detailsOf } from "./statistics.ts";

/** The outcome of a lookup that is counted. */
export type CacheLookup =
  | {
      readonly kind: "EXACT" | "SEMANTIC";
      readonly id: string;
      /** What generating the served answer cost, if that is known. */
      readonly usage?: CacheUsage;
    }
  | {
      readonly kind: "MISS";
      /** Absent: only counted as a miss. */
      readonly reason?: string;
      /** What the guard refused it for; only when that is the reason. */
      readonly guardReasons?: readonly string[];
    };

/** Counts of the lookups of one namespace. */
export interface NamespaceLookups {
  readonly scope: NamespaceKey;
  readonly exactHits: number;
  readonly semanticHits: number;
  readonly misses: number;
  /** What is added to each detail; see detailsOf. */
  readonly details: ReadonlyMap<string, number>;
  /** The hits of each entry, by id. */
  readonly uses: ReadonlyMap<string, EntryUses>;
}

export interface EntryUses {
  readonly count: number;
  /** Milliseconds since the epoch. */
  readonly lastUseTime: number;
}

interface Counting {
  readonly scope: NamespaceKey;
  readonly counts: Record<CacheLookup["kind"], number>;
  readonly details: Map<string, number>;
  readonly uses: Map<string, EntryUses>;
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
    const key = mapKeyOf(scope);
    let counting = this.#namespaces.get(key);
    if (counting === undefined) {
      counting = { scope, counts: { EXACT: 0, SEMANTIC: 0, MISS: 0 }, details: new Map(), uses: new Map() };
      this.#namespaces.set(key, counting);
    }
    this.#size += 1;
    counting.counts[lookup.kind] += 1;
    for (const [name, added] of detailsOf(lookup)) {
      counting.details.set(name, (counting.details.get(name) ?? 0) + added);
    }
    if (lookup.kind === "MISS") return;
    const { count = 0, lastUseTime = now } = counting.uses.get(lookup.id) ?? {};
    counting.uses.set(lookup.id, { count: count + 1, lastUseTime: Math.max(now, lastUseTime) });
  }

  /** Drops the lookups of one namespace. */
  forget(scope: NamespaceKey): void {
    const key = mapKeyOf(scope);
    const { EXACT = 0, SEMANTIC = 0, MISS = 0 } = this.#namespaces.get(key)?.counts ?? {};
    this.#namespaces.delete(key);
    this.#size -= EXACT + SEMANTIC + MISS;
  }

  /** Removes and returns all counts. */
  take(): NamespaceLookups[] {
    const taken = [...this.#namespaces.values()].map(({ scope, counts, details, uses }) => ({
      scope,
      exactHits: counts.EXACT,
      semanticHits: counts.SEMANTIC,
      misses: counts.MISS,
      details,
      uses,
    }));
    this.#namespaces.clear();
    this.#size = 0;
    return taken;
  }
}
