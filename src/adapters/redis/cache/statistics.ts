import type { NamespaceKey } from "../../../domain/access/tenancy.ts";
import { ruleOf } from "../../../domain/cache/eviction.ts";
import {
  type CacheLookup,
  LookupCounts,
  type NamespaceLookups,
} from "../../../domain/cache/lookup-counts.ts";
import { detailsFrom } from "../../../domain/cache/statistics.ts";
import type { CacheStats } from "../../../ports/cache/cache-store.ts";
import type { Log } from "../../../ports/log.ts";
import type { RemovalMetrics } from "../../../ports/metrics.ts";
import { BatchedWrites } from "../connection/batched-writes.ts";
import type { Reply } from "../connection/client.ts";
import { isText, listOf, numberOf, textOf } from "../connection/replies.ts";
import { rows } from "../connection/script.ts";
import type { Namespaces } from "../namespaces/namespace-ids.ts";
import { defineNamespaceScript } from "../namespaces/namespace-script.ts";
import { countRemoved, type RemovedEntries, removedEntries } from "./removed-entries.ts";
import {
  CACHE,
  cacheInput,
  INVALIDATION,
  MAX_STEPS,
  packRule,
  SCORE_LIMITS,
  SCORES,
  tooMuchToRemove,
} from "./script.ts";

const STATS = defineNamespaceScript({
  file: new URL("./read-cache-stats.lua", import.meta.url),
  libraries: [INVALIDATION, CACHE],
  effect: "frees",
  reply: (reply): { readonly stats: CacheStats | undefined; readonly removed: RemovedEntries } => {
    const [word, entries, counted] = listOf(reply);
    const stats = isText(word, "AGAIN") ? undefined : statsOf(numberOf(entries), countersOf(listOf(counted)));
    return { stats, removed: removedEntries(reply) };
  },
});
const COUNT = defineNamespaceScript({
  file: new URL("./count-lookups.lua", import.meta.url),
  libraries: [INVALIDATION, CACHE, SCORES],
  effect: "writes",
  arguments: [
    ...(["exactHits", "semanticHits", "misses", "firstRule"] as const),
    rows("details", ["name", "added"]),
    rows("uses", ["id", "count", "lastUse"]),
  ],
  reply: () => undefined,
});

/** Counts of lookups, written in batches, and the size of a cache. */
export class CacheStatistics implements AsyncDisposable {
  readonly #namespaces: Namespaces;
  readonly #metrics: RemovalMetrics;
  readonly #counts = new LookupCounts();
  readonly #lookups: BatchedWrites<NamespaceLookups[]>;

  constructor(
    namespaces: Namespaces,
    { log, metrics }: { readonly log: Log; readonly metrics: RemovalMetrics },
  ) {
    this.#namespaces = namespaces;
    this.#metrics = metrics;
    this.#lookups = new BatchedWrites({
      log,
      failureMessage: "cache lookups could not be counted",
      take: () => (this.#counts.size === 0 ? undefined : this.#counts.take()),
      write: (counts) => Promise.all(counts.map((lookups) => this.#writeCounts(lookups))),
    });
    // Pending counts belong to lookups in a missing namespace, or in the deleted one of the same name.
    namespaces.onCreated((scope) => this.#counts.forget(scope));
  }

  /** See CacheStore.countLookup. */
  count(scope: NamespaceKey, lookup: CacheLookup, now: number): void {
    this.#counts.add(scope, lookup, now);
    this.#lookups.counted(this.#counts.size);
  }

  /** Writes the pending counts; undefined when there are none. */
  flush(): Promise<void> | undefined {
    return this.#lookups.flush();
  }

  /** See CacheStore.stats. */
  async read(scope: NamespaceKey, now: number): Promise<CacheStats> {
    await this.flush();
    for (let step = 0; step < MAX_STEPS; step += 1) {
      const reply = await this.#namespaces.run(scope, {
        script: STATS,
        input: (namespace) => cacheInput(namespace, now),
      });
      if (reply === undefined) return statsOf(0, new Map());
      countRemoved(this.#metrics, reply.removed);
      if (reply.stats !== undefined) return reply.stats;
    }
    throw tooMuchToRemove();
  }

  /** Drops the pending counts: they belong to a store that was replaced. */
  clear(): void {
    this.#counts.take();
  }

  /** Flushes the pending counts. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lookups[Symbol.asyncDispose]();
  }

  /** Lookups create no namespace, and do not create a deleted one again. */
  async #writeCounts({
    scope,
    exactHits,
    semanticHits,
    misses,
    details,
    uses,
  }: NamespaceLookups): Promise<void> {
    await this.#namespaces.run(scope, {
      script: COUNT,
      input: (namespace) => ({
        // The script compares no expire times.
        ...cacheInput(namespace, 0),
        ...{ exactHits, semanticHits, misses },
        details: [...details].map(([name, added]) => ({ name, added })),
        ...SCORE_LIMITS,
        firstRule: packRule(ruleOf("lru")),
        uses: [...uses].map(([id, { count, lastUseTime }]) => ({ id, count, lastUse: lastUseTime })),
      }),
    });
  }
}

/** Names and values, alternately. */
function countersOf(flat: readonly Reply[]): Map<string, number> {
  const counters = new Map<string, number>();
  for (let at = 0; at + 1 < flat.length; at += 2) {
    counters.set(textOf(flat[at]) ?? "", numberOf(flat[at + 1]));
  }
  return counters;
}

function statsOf(entryCount: number, counters: ReadonlyMap<string, number>): CacheStats {
  const value = (name: string): number => counters.get(name) ?? 0;
  return {
    entryCount,
    byteCount: value("cache_bytes"),
    exactHits: value("exact_hits"),
    semanticHits: value("semantic_hits"),
    misses: value("misses"),
    stores: value("stores"),
    evictions: value("evictions"),
    details: detailsFrom(counters),
  };
}
