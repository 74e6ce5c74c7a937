import { randomBytes } from "node:crypto";
import type { NamespaceKey } from "../../../domain/access/tenancy.ts";
import { type CacheEntry, entryBytes } from "../../../domain/cache/entry.ts";
import { answerCost, rememberedIds, SCORE_ORDERS, scoreRule } from "../../../domain/cache/eviction.ts";
import type { OutcomeReport } from "../../../domain/cache/feedback.ts";
import { cacheInvalidated, type InvalidationFilter } from "../../../domain/cache/invalidation.ts";
import type { CacheLookup } from "../../../domain/cache/lookup-counts.ts";
import { NO_CACHE_POLICY } from "../../../domain/cache/policy.ts";
import { vectorToBytes } from "../../../domain/embedding/vector.ts";
import { cacheEntryChanged, cacheEntryNotFound } from "../../../domain/errors.ts";
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
import type { RemovalMetrics } from "../../../ports/metrics.ts";
import type { RedisClient } from "../connection/client.ts";
import { isText, listOf, numberOf, textOf } from "../connection/replies.ts";
import { list } from "../connection/script.ts";
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
import { type PutOutcome, putReply } from "./put-reply.ts";
import { CacheReader, liveAt } from "./reader.ts";
import { countRemoved, removedEntries } from "./removed-entries.ts";
import { CacheReports, type Reported } from "./reports.ts";
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
import { CacheSearch } from "./search.ts";
import { CacheStatistics } from "./statistics.ts";

const PUT = defineNamespaceScript({
  file: new URL("./put-cache-entry.lua", import.meta.url),
  libraries: [IDEMPOTENCY, INVALIDATION, CACHE, SCORES],
  effect: "writes",
  keys: ["meta", "entry"],
  arguments: [
    ...(["id", "maxEntries", "maxBytes", "createTime", "expireTime", "bytes", "scope"] as const),
    ...(["fieldsBefore", "fieldsAfter", "parts", "decidedAt"] as const),
    ...(["version", "etag", "rec", "generation", "vector"] as const),
    ...(["rule", "cost", "rememberedIds", "isAdmitted", list("otherOrders")] as const),
  ],
  reply: orModelChanged(putReply),
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
  reply: removedEntries,
});
const CLAIM = defineNamespaceScript({
  file: new URL("./claim-refresh.lua", import.meta.url),
  libraries: [INVALIDATION, CACHE],
  effect: "writes",
  arguments: ["id", "claimedUntil"],
  reply: (reply) => numberOf(listOf(reply)[1]) === 1,
});
const VERSION_BYTES = 9;

/** Cached answers in Redis. An entry that Redis has expired stays in the sorted sets until the next put, stats or nearest. */
export class RedisCacheStore implements CacheStore, AsyncDisposable {
  readonly #namespaces: Namespaces;
  readonly #metrics: RemovalMetrics;
  readonly #model: VectorModel;
  readonly #pack: PackRecord;
  readonly #reader: CacheReader;
  readonly #list: CacheList;
  readonly #search: CacheSearch;
  readonly #statistics: CacheStatistics;
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
      readonly metrics: RemovalMetrics;
    },
  ) {
    const { model, pack = packRecord, log, metrics } = options;
    this.#metrics = metrics;
    this.#namespaces = namespaces;
    this.#model = model;
    this.#pack = pack;
    this.#invalidator = new CacheInvalidator(namespaces, { log, metrics });
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
    this.#statistics = new CacheStatistics(namespaces, { log, metrics });
  }

  async lookup(
    namespace: NamespaceKey,
    { id, nearest }: CacheLookupQuery,
    now: number,
  ): Promise<FoundEntries> {
    if (nearest !== undefined) return this.#search.search(namespace, nearest, now, id);
    const read = await this.#reader.readIn(namespace, id);
    return {
      exact: liveAt(now, read?.entry),
      nearest: [],
      policy: read?.policy ?? NO_CACHE_POLICY,
      generation: read?.invalidations.generation ?? 0,
    };
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
    const counting = this.#statistics.flush();
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
      if (reply.kind === "invalidated") throw cacheInvalidated(scope.namespace);
      evicted += reply.evicted;
      countRemoved(this.#metrics, reply.removed);
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

  invalidate(
    scope: NamespaceKey,
    filter: InvalidationFilter,
    options: { readonly now: number; readonly request?: IdempotentRequest },
  ): Promise<void> {
    return this.#invalidator.invalidate(scope, filter, options);
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
    this.#statistics.count(scope, lookup, now);
  }

  stats(scope: NamespaceKey, now: number): Promise<CacheStats> {
    return this.#statistics.read(scope, now);
  }

  /** Clears all caches: the store in Redis was replaced. */
  clearCache(): void {
    this.#reader.clearCache();
    this.#search.clearCache();
    this.#statistics.clear();
  }

  /** Flushes the pending counts; the next process continues to remove invalidated entries. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#invalidator[Symbol.asyncDispose]();
    await this.#statistics[Symbol.asyncDispose]();
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
          maxBytes: maxBytes ?? "",
          ...SCORE_LIMITS,
          rule: packRule(rule),
          cost: answerCost(entry),
          rememberedIds: rememberedIds(maxEntries),
          isAdmitted: isAdmitted ? 1 : 0,
          otherOrders: SCORE_ORDERS.filter((order) => order !== rule.order),
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
    const removed = await this.#namespaces.run(scope, {
      script: SWEEP,
      input: (namespace) => cacheInput(namespace, now),
    });
    countRemoved(this.#metrics, removed);
  }
}

function newVersion(): string {
  return randomBytes(VERSION_BYTES).toString("base64url");
}

function withoutVector({ vector: _, ...others }: PutCacheEntryOptions): PutCacheEntryOptions {
  return others;
}
