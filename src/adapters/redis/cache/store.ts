import { randomBytes } from "node:crypto";
import type { NamespaceKey } from "../../../domain/access/tenancy.ts";
import { type CacheEntry, entryBytes } from "../../../domain/cache/entry.ts";
import { keepScore } from "../../../domain/cache/eviction.ts";
import type { OutcomeReport } from "../../../domain/cache/feedback.ts";
import { cacheInvalidated, type InvalidationFilter } from "../../../domain/cache/invalidation.ts";
import {
  type CacheLookup,
  LookupCounts,
  type NamespaceLookups,
} from "../../../domain/cache/lookup-counts.ts";
import { vectorToBytes } from "../../../domain/embedding/vector.ts";
import { cacheEntryChanged, cacheEntryNotFound, type RecollectError } from "../../../domain/errors.ts";
import type {
  CacheListQuery,
  CacheLookupQuery,
  CacheStats,
  CacheStore,
  FoundEntries,
  PutCacheEntryOptions,
} from "../../../ports/cache/cache-store.ts";
import type { IdempotentRequest } from "../../../ports/idempotency.ts";
import type { Log } from "../../../ports/log.ts";
import { BatchedWrites } from "../connection/batched-writes.ts";
import type { RedisClient, Reply } from "../connection/client.ts";
import { unavailable } from "../connection/errors.ts";
import { isText, listOf, numberOf, textOf } from "../connection/replies.ts";
import { rows } from "../connection/script.ts";
import { withCurrentModel } from "../indexes/model-retry.ts";
import type { IndexNames, VectorIndexOptions } from "../indexes/schema.ts";
import type { VectorModel } from "../indexes/vector-model.ts";
import { IDEMPOTENCY, replayedOutcome, requestInput } from "../namespaces/idempotency.ts";
import type { NamespaceRedisKeys } from "../namespaces/keys.ts";
import type { Namespaces } from "../namespaces/namespace-ids.ts";
import { defineNamespaceScript, orModelChanged } from "../namespaces/namespace-script.ts";
import { type PackRecord, packRecord } from "../namespaces/records.ts";
import { entryCache } from "./entry-cache.ts";
import { packFields, scopeToken } from "./entry-fields.ts";
import { partsOf } from "./invalidation-names.ts";
import { CacheInvalidator } from "./invalidator.ts";
import { CacheList } from "./list.ts";
import { CacheReader } from "./reader.ts";
import { CacheReports, type Reported } from "./reports.ts";
import { CACHE, cacheInput, INVALIDATION } from "./script.ts";
import { CacheSearch } from "./search.ts";

type PutReply =
  | { readonly kind: "written"; readonly outcome: PutOutcome; readonly evicted: number }
  /** One call did not remove enough. */
  | { readonly kind: "again"; readonly evicted: number }
  | { readonly kind: "invalidated" }
  | { readonly kind: "replayed"; readonly outcome: PutOutcome };

interface PutOutcome {
  readonly id: string;
  readonly replaced: boolean;
}

const PUT = defineNamespaceScript({
  file: new URL("./put-cache-entry.lua", import.meta.url),
  libraries: [IDEMPOTENCY, INVALIDATION, CACHE],
  effect: "writes",
  keys: ["meta", "entry"],
  arguments: [
    ...(["id", "maxEntries", "createTime", "expireTime", "keepScore", "bytes", "scope"] as const),
    ...(["fieldsBefore", "fieldsAfter", "parts", "decidedAt"] as const),
    ...(["version", "etag", "rec", "generation", "vector"] as const),
  ],
  reply: orModelChanged((reply): PutReply => {
    const replayed = replayedOutcome(reply);
    if (replayed !== undefined) return { kind: "replayed", outcome: outcomeOf(replayed) };
    const [word, ...rest] = listOf(reply);
    if (isText(word, "AGAIN")) return { kind: "again", evicted: numberOf(rest[0]) };
    if (isText(word, "INVALIDATED")) return { kind: "invalidated" };
    return { kind: "written", outcome: outcomeOf(textOf(rest[0]) ?? ""), evicted: numberOf(rest[1]) };
  }),
});
const DELETE = defineNamespaceScript({
  file: new URL("./delete-cache-entry.lua", import.meta.url),
  libraries: [IDEMPOTENCY, INVALIDATION, CACHE],
  effect: "frees",
  keys: ["entry", "meta"],
  arguments: ["id", "hasEtag", "expectedEtag"],
  reply: (
    reply,
  ): { readonly kind: "deleted" | "absent" } | { readonly kind: "changed"; readonly etag: string } => {
    if (replayedOutcome(reply) !== undefined) return { kind: "deleted" };
    const [word, etag] = listOf(reply);
    if (isText(word, "ABSENT")) return { kind: "absent" };
    return isText(word, "ETAG") ? { kind: "changed", etag: textOf(etag) ?? "" } : { kind: "deleted" };
  },
});
const SWEEP = defineNamespaceScript({
  file: new URL("./sweep-cache-entries.lua", import.meta.url),
  libraries: [INVALIDATION, CACHE],
  effect: "frees",
  reply: () => undefined,
});
const STATS = defineNamespaceScript({
  file: new URL("./read-cache-stats.lua", import.meta.url),
  libraries: [INVALIDATION, CACHE],
  effect: "frees",
  reply: (reply): CacheStats | "again" => {
    const [word, ...counted] = listOf(reply);
    return isText(word, "AGAIN") ? "again" : statsOf(counted);
  },
});
const COUNT = defineNamespaceScript({
  file: new URL("./count-lookups.lua", import.meta.url),
  effect: "writes",
  keys: ["counters", "cacheUses"],
  arguments: ["exactHits", "semanticHits", "misses", rows("uses", ["keepScore", "id"])],
  reply: () => undefined,
});

const VERSION_BYTES = 9;

/** Steps of one call. Each evicts a bounded number of entries. */
const MAX_STEPS = 1000;

/** Cached answers in Redis. An entry that Redis has expired stays in the sorted sets until the next put, stats or nearest. */
export class RedisCacheStore implements CacheStore, AsyncDisposable {
  readonly #namespaces: Namespaces;
  readonly #model: VectorModel;
  readonly #pack: PackRecord;
  readonly #reader: CacheReader;
  readonly #list: CacheList;
  readonly #search: CacheSearch;
  readonly #counts = new LookupCounts();
  readonly #lookups: BatchedWrites<NamespaceLookups[]>;
  readonly #invalidator: CacheInvalidator;
  readonly #reports: CacheReports;

  constructor(
    client: RedisClient,
    namespaces: Namespaces,
    options: {
      readonly model: VectorModel;
      /** Default: as JSON. */
      readonly pack?: PackRecord;
      readonly indexes: IndexNames;
      readonly vectors: VectorIndexOptions;
      /** Called when a search found no index. */
      readonly missing: (scope: NamespaceKey) => void;
      readonly log: Log;
    },
  ) {
    const { model, pack = packRecord, log } = options;
    this.#namespaces = namespaces;
    this.#model = model;
    this.#pack = pack;
    this.#invalidator = new CacheInvalidator(namespaces, log);
    this.#reports = new CacheReports(namespaces, pack, newVersion);
    const entries = entryCache();
    this.#reader = new CacheReader(client, namespaces, entries);
    this.#list = new CacheList(namespaces, entries);
    this.#search = new CacheSearch(client, namespaces, {
      entries,
      reader: this.#reader,
      ...options,
      sweep: (scope, now) => this.#sweep(scope, now),
    });
    this.#lookups = new BatchedWrites({
      log,
      failureMessage: "cache lookups could not be counted",
      take: () => (this.#counts.size === 0 ? undefined : this.#counts.take()),
      write: (counts) => Promise.all(counts.map((lookups) => this.#writeCounts(lookups))),
    });
    // Pending counts belong to lookups in a missing namespace, or in the deleted one of the same name.
    namespaces.onCreated((scope) => this.#counts.forget(scope));
  }

  async lookup(
    namespace: NamespaceKey,
    { id, nearest }: CacheLookupQuery,
    now: number,
  ): Promise<FoundEntries> {
    if (nearest !== undefined) return this.#search.search(namespace, nearest, now, id);
    if (id === undefined) return { exact: undefined, nearest: [], generation: 0 };
    return { ...(await this.#reader.find(namespace, id, now)), nearest: [] };
  }

  list(
    scope: NamespaceKey,
    query: CacheListQuery,
  ): Promise<{ readonly entries: CacheEntry[]; readonly more: boolean }> {
    return this.#list.page(scope, query);
  }

  async put(
    scope: NamespaceKey,
    entry: CacheEntry,
    options: PutCacheEntryOptions,
  ): Promise<{ readonly entry: CacheEntry; readonly replaced: boolean; readonly evicted: number }> {
    // Before the put, so that recently served entries do not count as unused.
    const counting = this.#lookups.flush();
    if (counting !== undefined) await counting;
    let call = this.#putting(entry, options);
    let evicted = 0;
    for (let step = 0; step < MAX_STEPS; step += 1) {
      const run = () => this.#namespaces.run(scope, call);
      const reply = await withCurrentModel(this.#model, run, {
        behind: () => {
          call = this.#putting(entry, withoutVector(options));
          return withCurrentModel(this.#model, run);
        },
      });
      if (reply.kind === "replayed") {
        const { id, replaced } = reply.outcome;
        const { exact: stored } = await this.#reader.find(scope, id, options.now);
        if (stored === undefined) throw cacheEntryNotFound(scope.namespace, id);
        return { entry: stored, replaced, evicted: 0 };
      }
      if (reply.kind === "invalidated") throw cacheInvalidated(scope.namespace);
      evicted += reply.evicted;
      if (reply.kind === "written") return { entry, replaced: reply.outcome.replaced, evicted };
    }
    throw tooMuchToRemove();
  }

  async delete(
    scope: NamespaceKey,
    id: string,
    options: { readonly etag?: string; readonly now: number; readonly request?: IdempotentRequest },
  ): Promise<void> {
    const { etag, now, request } = options;
    const reply = await this.#namespaces.run(scope, {
      script: DELETE,
      mayRetry: request !== undefined,
      input: (namespace) => ({
        ...cacheInput(namespace, now),
        ...requestInput(request),
        request: namespace.request(request?.key ?? ""),
        entry: namespace.cacheEntry(id),
        meta: namespace.partition.meta,
        id,
        hasEtag: etag === undefined ? 0 : 1,
        expectedEtag: etag ?? "",
      }),
    });
    if (reply === undefined || reply.kind === "absent") throw cacheEntryNotFound(scope.namespace, id);
    if (reply.kind === "changed") throw cacheEntryChanged(id, reply.etag);
  }

  invalidate(
    scope: NamespaceKey,
    filter: InvalidationFilter,
    options: { readonly now: number; readonly request?: IdempotentRequest },
  ): Promise<void> {
    return this.#invalidator.invalidate(scope, filter, options);
  }

  report(
    scope: NamespaceKey,
    report: OutcomeReport,
    options: { readonly now: number; readonly request?: IdempotentRequest },
  ): Promise<Reported> {
    return this.#reports.report(scope, report, options);
  }

  countMatching(scope: NamespaceKey, filter: InvalidationFilter, now: number): Promise<number> {
    return this.#list.count(scope, filter, now);
  }

  countLookup(scope: NamespaceKey, lookup: CacheLookup, now: number): void {
    this.#counts.add(scope, lookup, now);
    this.#lookups.counted(this.#counts.size);
  }

  async stats(scope: NamespaceKey, now: number): Promise<CacheStats> {
    await this.#lookups.flush();
    for (let step = 0; step < MAX_STEPS; step += 1) {
      const stats = await this.#namespaces.run(scope, {
        script: STATS,
        input: (namespace) => cacheInput(namespace, now),
      });
      if (stats !== "again") return stats ?? statsOf([]);
    }
    throw tooMuchToRemove();
  }

  /** Clears all caches: the store in Redis was replaced. */
  clearCache(): void {
    this.#reader.clearCache();
    this.#search.clearCache();
    // Pending counts belong to the replaced store.
    this.#counts.take();
  }

  /** Flushes the pending counts; the next process continues to remove invalidated entries. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#invalidator[Symbol.asyncDispose]();
    await this.#lookups[Symbol.asyncDispose]();
  }

  #putting(entry: CacheEntry, options: PutCacheEntryOptions) {
    const { maxEntries, now, request } = options;
    const { id, fingerprint, createTime, expireTime, etag } = entry;
    const version = newVersion();
    const rec = this.#pack(entry);
    return {
      script: PUT,
      whenAbsent: "create" as const,
      mayRetry: request !== undefined,
      input: (namespace: NamespaceRedisKeys) => {
        // Evaluated at each retry: the model may have changed in between.
        const vector = this.#model.takes(options.model) ? options.vector : undefined;
        const scope = scopeToken(namespace.namespaceId, fingerprint);
        const parts = partsOf(entry);
        const bytes = entryBytes(entry, vector?.length ?? 0);
        return {
          ...cacheInput(namespace, now),
          ...requestInput(request),
          request: namespace.request(request?.key ?? ""),
          meta: namespace.partition.meta,
          entry: namespace.cacheEntry(id),
          ...{ id, maxEntries, createTime, expireTime, bytes, scope, version, etag, rec },
          keepScore: keepScore({ lastUseTime: now }),
          ...packFields(entry, { bytes, scope }),
          ...{ parts, decidedAt: options.decidedAt ?? "" },
          generation: vector === undefined ? "" : this.#model.generation,
          vector: vector === undefined ? "" : Buffer.from(vectorToBytes(vector)),
        };
      },
    };
  }

  /** Removes expired and invalidated entries, a bounded number of them. */
  async #sweep(scope: NamespaceKey, now: number): Promise<void> {
    await this.#namespaces.run(scope, {
      script: SWEEP,
      input: (namespace) => cacheInput(namespace, now),
    });
  }

  /** Lookups create no namespace, and do not create a deleted one again. */
  async #writeCounts({ scope, exactHits, semanticHits, misses, lastUses }: NamespaceLookups): Promise<void> {
    await this.#namespaces.run(scope, {
      script: COUNT,
      input: ({ counters, cacheUses }) => ({
        ...{ counters, cacheUses, exactHits, semanticHits, misses },
        uses: [...lastUses].map(([id, lastUseTime]) => ({ keepScore: keepScore({ lastUseTime }), id })),
      }),
    });
  }
}

function newVersion(): string {
  return randomBytes(VERSION_BYTES).toString("base64url");
}

function tooMuchToRemove(): RecollectError {
  return unavailable("too many cache entries have to be removed for one call");
}

function withoutVector({ vector: _, ...others }: PutCacheEntryOptions): PutCacheEntryOptions {
  return others;
}

/** In the order of read-cache-stats.lua; zeros where nothing was counted. */
function statsOf(counted: readonly Reply[]): CacheStats {
  const [
    entryCount = 0,
    byteCount = 0,
    exactHits = 0,
    semanticHits = 0,
    misses = 0,
    stores = 0,
    evictions = 0,
  ] = counted.map(numberOf);
  return { entryCount, byteCount, exactHits, semanticHits, misses, stores, evictions };
}

/** See put-cache-entry.lua. */
function outcomeOf(outcome: string): PutOutcome {
  const end = outcome.indexOf(" ");
  return { id: outcome.slice(end + 1), replaced: outcome.slice(0, end) === "replaced" };
}
