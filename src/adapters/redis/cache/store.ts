import { randomBytes } from "node:crypto";
import type { NamespaceKey } from "../../../domain/access/tenancy.ts";
import { type CacheEntry, entryBytes } from "../../../domain/cache/entry.ts";
import {
  answerCost,
  DEFAULT_COST,
  MAX_USES,
  rememberedIds,
  ruleOf,
  SCORE_ORDERS,
  scoreRule,
} from "../../../domain/cache/eviction.ts";
import {
  type CacheLookup,
  LookupCounts,
  type NamespaceLookups,
} from "../../../domain/cache/lookup-counts.ts";
import { NO_CACHE_POLICY } from "../../../domain/cache/policy.ts";
import { vectorToBytes } from "../../../domain/embedding/vector.ts";
import { cacheEntryChanged, cacheEntryNotFound, type RecollectError } from "../../../domain/errors.ts";
import type {
  CacheListQuery,
  CacheLookupQuery,
  CacheStats,
  CacheStore,
  FoundEntries,
  PutCacheEntryOptions,
  PutCacheEntryResult,
} from "../../../ports/cache/cache-store.ts";
import type { IdempotentRequest } from "../../../ports/idempotency.ts";
import type { Log } from "../../../ports/log.ts";
import { BatchedWrites } from "../connection/batched-writes.ts";
import type { RedisClient, Reply } from "../connection/client.ts";
import { unavailable } from "../connection/errors.ts";
import { isText, listOf, numberOf, textOf } from "../connection/replies.ts";
import { list, rows } from "../connection/script.ts";
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
import { CacheList } from "./list.ts";
import { type PutOutcome, putReply } from "./put-reply.ts";
import { CacheReader, liveAt } from "./reader.ts";
import { CACHE, cacheInput, packRule, SCORES } from "./script.ts";
import { CacheSearch } from "./search.ts";

const PUT = defineNamespaceScript({
  file: new URL("./put-cache-entry.lua", import.meta.url),
  libraries: [IDEMPOTENCY, CACHE, SCORES],
  effect: "writes",
  keys: ["meta", "entry"],
  arguments: [
    ...(["id", "maxEntries", "maxBytes", "createTime", "expireTime", "fields", "bytes", "scope"] as const),
    ...(["version", "etag", "rec", "generation", "vector"] as const),
    ...(["rule", "cost", "rememberedIds", "isAdmitted", list("otherOrders")] as const),
  ],
  reply: orModelChanged(putReply),
});
const DELETE = defineNamespaceScript({
  file: new URL("./delete-cache-entry.lua", import.meta.url),
  libraries: [IDEMPOTENCY, CACHE],
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
  libraries: [CACHE],
  effect: "frees",
  reply: () => undefined,
});
const STATS = defineNamespaceScript({
  file: new URL("./read-cache-stats.lua", import.meta.url),
  libraries: [CACHE],
  effect: "frees",
  reply: (reply): CacheStats | "again" => {
    const [word, ...counted] = listOf(reply);
    return isText(word, "AGAIN") ? "again" : statsOf(counted);
  },
});
const CLAIM = defineNamespaceScript({
  file: new URL("./claim-refresh.lua", import.meta.url),
  libraries: [CACHE],
  effect: "writes",
  arguments: ["id", "claimedUntil"],
  reply: (reply) => numberOf(listOf(reply)[1]) === 1,
});
const COUNT = defineNamespaceScript({
  file: new URL("./count-lookups.lua", import.meta.url),
  libraries: [CACHE, SCORES],
  effect: "writes",
  arguments: [
    ...(["exactHits", "semanticHits", "misses", "firstRule"] as const),
    rows("uses", ["id", "count", "lastUse"]),
  ],
  reply: () => undefined,
});

const VERSION_BYTES = 9;

/** See scores-library.lua. */
const SCORE_LIMITS = { maxUses: MAX_USES, defaultCost: DEFAULT_COST };

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
    const read = await this.#reader.readIn(namespace, id);
    return { exact: liveAt(now, read?.entry), nearest: [], policy: read?.policy ?? NO_CACHE_POLICY };
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
  ): Promise<PutCacheEntryResult> {
    // Before the put, so that recently served entries do not count as unused.
    const counting = this.#lookups.flush();
    if (counting !== undefined) await counting;
    let evicted = 0;
    let put = options;
    const run = () => this.#namespaces.run(scope, this.#putting(entry, put, evicted > 0));
    for (let step = 0; step < MAX_STEPS; step += 1) {
      const reply = await withCurrentModel(this.#model, run, {
        behind: () => {
          put = withoutVector(options);
          return withCurrentModel(this.#model, run);
        },
      });
      if (reply.kind === "replayed") {
        return this.#replay(scope, entry, reply.outcome, options.now);
      }
      evicted += reply.evicted;
      if (reply.kind === "written") {
        const { id: _, ...outcome } = reply.outcome;
        return { entry, evicted, ...outcome };
      }
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

  async claimRefresh(
    scope: NamespaceKey,
    id: string,
    { now, until }: { readonly now: number; readonly until: number },
  ): Promise<boolean> {
    const claimed = await this.#namespaces.run(scope, {
      script: CLAIM,
      input: (namespace) => ({ ...cacheInput(namespace, now), id, claimedUntil: until }),
    });
    return claimed ?? false;
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

  /** Flushes the pending counts. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lookups[Symbol.asyncDispose]();
  }

  /** The result of a request that was completed before. */
  async #replay(
    scope: NamespaceKey,
    entry: CacheEntry,
    { id, ...outcome }: PutOutcome,
    now: number,
  ): Promise<PutCacheEntryResult> {
    if (outcome.refused !== undefined) return { entry, evicted: 0, ...outcome };
    const stored = await this.#reader.find(scope, id, now);
    if (stored === undefined) throw cacheEntryNotFound(scope.namespace, id);
    return { entry: stored, evicted: 0, ...outcome };
  }

  /** `isAdmitted`: an earlier call has evicted entries for this one. */
  #putting(entry: CacheEntry, options: PutCacheEntryOptions, isAdmitted: boolean) {
    const { maxEntries, maxBytes, policy = "LRU", now, request } = options;
    const rule = scoreRule(policy, maxBytes !== undefined);
    const { id, fingerprint, createTime, expireTime, etag } = entry;
    const version = randomBytes(VERSION_BYTES).toString("base64url");
    const rec = this.#pack(entry);
    return {
      script: PUT,
      whenAbsent: "create" as const,
      mayRetry: request !== undefined,
      input: (namespace: NamespaceRedisKeys) => {
        // Evaluated at each retry: the model may have changed in between.
        const vector = this.#model.takes(options.model) ? options.vector : undefined;
        const scope = scopeToken(namespace.namespaceId, fingerprint);
        const bytes = entryBytes(entry, vector?.length ?? 0);
        return {
          ...cacheInput(namespace, now),
          ...requestInput(request),
          request: namespace.request(request?.key ?? ""),
          meta: namespace.partition.meta,
          entry: namespace.cacheEntry(id),
          ...{ id, maxEntries, createTime, expireTime, bytes, scope, version, etag, rec },
          maxBytes: maxBytes ?? "",
          ...SCORE_LIMITS,
          rule: packRule(rule),
          cost: answerCost(entry),
          rememberedIds: rememberedIds(maxEntries),
          isAdmitted: isAdmitted ? 1 : 0,
          otherOrders: SCORE_ORDERS.filter((order) => order !== rule.order),
          fields: packFields(entry, { bytes, scope }),
          generation: vector === undefined ? "" : this.#model.generation,
          vector: vector === undefined ? "" : Buffer.from(vectorToBytes(vector)),
        };
      },
    };
  }

  /** Removes expired entries, a bounded number of them. */
  async #sweep(scope: NamespaceKey, now: number): Promise<void> {
    await this.#namespaces.run(scope, {
      script: SWEEP,
      input: (namespace) => cacheInput(namespace, now),
    });
  }

  /** Lookups create no namespace, and do not create a deleted one again. */
  async #writeCounts({ scope, exactHits, semanticHits, misses, uses }: NamespaceLookups): Promise<void> {
    await this.#namespaces.run(scope, {
      script: COUNT,
      input: (namespace) => ({
        // The script compares no expire times.
        ...cacheInput(namespace, 0),
        ...{ exactHits, semanticHits, misses },
        ...SCORE_LIMITS,
        firstRule: packRule(ruleOf("lru")),
        uses: [...uses].map(([id, { count, lastUseTime }]) => ({ id, count, lastUse: lastUseTime })),
      }),
    });
  }
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
