import type { NamespaceKey } from "../../../domain/access/tenancy.ts";
import {
  type CacheLookup,
  LookupCounts,
  type NamespaceLookups,
} from "../../../domain/cache/lookup-counts.ts";
import { detailsFrom } from "../../../domain/cache/statistics.ts";
import type { CacheStats } from "../../../ports/cache/cache-store.ts";
import type { Log } from "../../../ports/log.ts";
import { BatchedWrites } from "../database/batched-writes.ts";
import type { CacheDetailCounters } from "../database/cache-details.ts";
import type { CacheInvalidations } from "../database/cache-invalidations.ts";
import type { Database } from "../database/database.ts";
import type { NamespaceIds } from "../namespaces/namespace-ids.ts";
import type { EntryScores } from "./entry-scores.ts";

interface StatisticsParts {
  readonly database: Database;
  readonly namespaces: NamespaceIds;
  readonly invalidations: CacheInvalidations;
  readonly scores: EntryScores;
  readonly details: CacheDetailCounters;
  readonly log: Log;
}

/** Counts of lookups, written in batches, and the size of a cache. */
export class CacheStatistics implements Disposable {
  readonly #parts: StatisticsParts;
  readonly #counts = new LookupCounts();
  readonly #lookups: BatchedWrites<NamespaceLookups[]>;

  constructor(parts: StatisticsParts) {
    this.#parts = parts;
    this.#lookups = new BatchedWrites({
      database: parts.database,
      log: parts.log,
      failureMessage: "cache lookups could not be counted",
      take: () => (this.#counts.size === 0 ? undefined : this.#counts.take()),
      write: (counts) => {
        for (const lookups of counts) this.#writeCounts(lookups);
      },
    });
    // Pending counts belong to lookups in a missing namespace, or in the deleted one of the same name.
    parts.namespaces.onCreated((scope) => this.#counts.forget(scope));
  }

  /** See CacheStore.countLookup. */
  count(scope: NamespaceKey, lookup: CacheLookup, now: number): void {
    this.#counts.add(scope, lookup, now);
    this.#lookups.counted(this.#counts.size);
  }

  /** Resolves when the counts so far are written. */
  flush(): Promise<void> {
    return this.#lookups.flush();
  }

  /** See CacheStore.stats. */
  async read(scope: NamespaceKey, now: number): Promise<CacheStats> {
    await this.flush();
    const { database, namespaces, invalidations } = this.#parts;
    const namespaceId = namespaces.find(scope);
    const counter =
      namespaceId === undefined
        ? undefined
        : database.first(
            `SELECT exact_hits, semantic_hits, misses, stores, evictions,
               count(e.row) AS entries, sum(e.bytes) AS bytes
             FROM cache_counter c LEFT JOIN cache_entry e ON e.namespace_id = c.namespace_id AND e.expire_time > ?1
               ${invalidations.andValid(namespaceId)}
             WHERE c.namespace_id = ?2`,
            now,
            namespaceId,
          );
    const details = namespaceId === undefined ? new Map<string, number>() : this.#details(namespaceId, now);
    return {
      entryCount: Number(counter?.["entries"] ?? 0),
      byteCount: Number(counter?.["bytes"] ?? 0),
      exactHits: Number(counter?.["exact_hits"] ?? 0),
      semanticHits: Number(counter?.["semantic_hits"] ?? 0),
      misses: Number(counter?.["misses"] ?? 0),
      stores: Number(counter?.["stores"] ?? 0),
      evictions: Number(counter?.["evictions"] ?? 0),
      details: detailsFrom(details),
    };
  }

  /** Queues the counts so far in the database, which writes them when it is closed, and stops the timer. */
  [Symbol.dispose](): void {
    this.#lookups[Symbol.dispose]();
  }

  /** With the entries that are still to be removed. */
  #details(namespaceId: number, now: number): Map<string, number> {
    const { database, details, invalidations } = this.#parts;
    const counters = details.read(namespaceId);
    const rows = database.first(
      `SELECT sum(e.expire_time <= ?1) AS expired, sum(e.expire_time > ?1) AS others,
         (SELECT count(*) FROM cache_entry e WHERE e.namespace_id = ?2 AND e.expire_time > ?1
          ${invalidations.andValid(namespaceId)}) AS valid
       FROM cache_entry e WHERE e.namespace_id = ?2`,
      now,
      namespaceId,
    );
    const add = (name: string, added: number): void =>
      void counters.set(name, (counters.get(name) ?? 0) + added);
    add("removed:expired", Number(rows?.["expired"] ?? 0));
    add("removed:invalidated", Number(rows?.["others"] ?? 0) - Number(rows?.["valid"] ?? 0));
    return counters;
  }

  #writeCounts({ scope, exactHits, semanticHits, misses, details: added, uses }: NamespaceLookups): void {
    const { database, details, namespaces, scores } = this.#parts;
    const namespaceId = namespaces.find(scope);
    // Lookups create no namespace, and do not create a deleted one again.
    if (namespaceId === undefined) return;
    database.run(
      `INSERT INTO cache_counter (namespace_id, exact_hits, semantic_hits, misses) VALUES (?, ?, ?, ?)
       ON CONFLICT (namespace_id) DO UPDATE SET exact_hits = exact_hits + excluded.exact_hits,
         semantic_hits = semantic_hits + excluded.semantic_hits, misses = misses + excluded.misses`,
      namespaceId,
      exactHits,
      semanticHits,
      misses,
    );
    for (const [name, count] of added) details.add(namespaceId, name, count);
    scores.countUses(namespaceId, uses);
  }
}
