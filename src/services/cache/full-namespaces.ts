import { mapKeyOf, type NamespaceKey } from "../../domain/access/tenancy.ts";
import type { EvictionPolicy } from "../../domain/cache/eviction.ts";
import type { PutCacheEntryResult } from "../../ports/cache/cache-store.ts";
import type { OperatorLog } from "../../ports/log.ts";
import type { EvictionMetrics } from "../../ports/metrics.ts";

/** Namespaces that are watched; of more, those that were stored to last. */
const MAX_NAMESPACES = 10_000;

/** The bounds of a namespace, for the log. */
interface Bounds {
  readonly maxEntries: number;
  readonly maxBytes: number | undefined;
  readonly evictionPolicy: EvictionPolicy;
}

/**
 * The namespaces that were at their bound when this process last stored to them: their number is a metric, and the first
 * time of each is logged.
 */
export class FullNamespaces {
  readonly #metrics: EvictionMetrics;
  readonly #log: Pick<OperatorLog, "info">;
  /** By name, the last stored to last: whether it is full now. */
  readonly #seen = new Map<string, boolean>();
  #count = 0;

  constructor(metrics: EvictionMetrics, log: Pick<OperatorLog, "info">) {
    this.#metrics = metrics;
    this.#log = log;
  }

  /** Looks at the result of a put. */
  saw(namespaceKey: NamespaceKey, put: PutCacheEntryResult, bounds: Bounds): void {
    // A replaced entry, and one that is too large by itself, say nothing about the rest.
    if (put.refused === "TOO_LARGE" || (put.replaced && put.evicted === 0)) return;
    const name = mapKeyOf(namespaceKey);
    const isFull = put.evicted > 0 || put.refused !== undefined;
    const wasFull = this.#seen.get(name);
    if (wasFull === undefined && !isFull) return;
    if (wasFull === undefined) {
      const { tenant, namespace } = namespaceKey;
      const { maxEntries, maxBytes, evictionPolicy } = bounds;
      this.#log.info(
        { tenant, namespace, max_entries: maxEntries, max_bytes: maxBytes, eviction_policy: evictionPolicy },
        "cache namespace is full: a new answer evicts another or is not stored",
      );
    }
    this.#set(name, isFull);
    this.#metrics.cacheFullNamespaces(this.#count);
  }

  #set(name: string, isFull: boolean): void {
    this.#remove(name);
    this.#seen.set(name, isFull);
    this.#count += Number(isFull);
    const [oldest] = this.#seen.keys();
    if (this.#seen.size > MAX_NAMESPACES && oldest !== undefined) this.#remove(oldest);
  }

  #remove(name: string): void {
    this.#count -= Number(this.#seen.get(name) === true);
    this.#seen.delete(name);
  }
}
