import type { NamespaceKey } from "../../../domain/access/tenancy.ts";
import { type CacheEntry, entryBytes } from "../../../domain/cache/entry.ts";
import { answerCost, scoreRule } from "../../../domain/cache/eviction.ts";
import type { OutcomeReport } from "../../../domain/cache/feedback.ts";
import { cacheInvalidated, type InvalidationFilter } from "../../../domain/cache/invalidation.ts";
import type { CacheLookup } from "../../../domain/cache/lookup-counts.ts";
import type { Neighbour } from "../../../domain/cache/matching.ts";
import { clampSimilarity } from "../../../domain/embedding/vector.ts";
import { cacheEntryChanged, cacheEntryNotFound } from "../../../domain/errors.ts";
import type { Json } from "../../../lib/json.ts";
import type {
  CacheListQuery,
  CacheLookupQuery,
  CacheStats,
  CacheStore,
  FoundEntries,
  NearestQuery,
  PutCacheEntryOptions,
  PutCacheEntryResult,
} from "../../../ports/cache/cache-store.ts";
import type { IdempotentRequest } from "../../../ports/idempotency.ts";
import type { Log } from "../../../ports/log.ts";
import type { RemovalMetrics } from "../../../ports/metrics.ts";
import { CacheDetailCounters } from "../database/cache-details.ts";
import { CacheInvalidations } from "../database/cache-invalidations.ts";
import { decodeRecord, encodeRecord, encodeVector } from "../database/checksums.ts";
import type { Database, Row, Written } from "../database/database.ts";
import type { IdempotencyRecords } from "../namespaces/idempotency.ts";
import type { NamespaceIds } from "../namespaces/namespace-ids.ts";
import { ScopeVectors } from "../vectors/scope-vectors.ts";
import type { VectorModel } from "../vectors/vector-model.ts";
import { EntryCache } from "./entry-cache.ts";
import { EntryScores } from "./entry-scores.ts";
import { CacheInvalidator } from "./invalidator.ts";
import { CacheList } from "./list.ts";
import type { EmbeddedCachePolicyStore } from "./policies.ts";
import { RefreshClaims } from "./refresh-claims.ts";
import { CacheReports, type Reported } from "./reports.ts";
import { CacheStatistics } from "./statistics.ts";

/** Each write removes a few expired entries, so that no write has to remove all of them. */
const SWEEP_LIMIT = 32;

/** Cached answers in SQLite; the prompts of one cache scope are compared exactly, in memory. */
export class EmbeddedCacheStore implements CacheStore, Disposable {
  readonly #database: Database;
  readonly #namespaces: NamespaceIds;
  readonly #idempotencyRecords: IdempotencyRecords;
  readonly #vectors: ScopeVectors;
  readonly #invalidations: CacheInvalidations;
  readonly #invalidator: CacheInvalidator;
  readonly #list: CacheList;
  readonly #reports: CacheReports;
  readonly #model: VectorModel;
  readonly #policies: Pick<EmbeddedCachePolicyStore, "read">;
  readonly #entries = new EntryCache();
  readonly #scores: EntryScores;
  readonly #statistics: CacheStatistics;
  readonly #claims = new RefreshClaims();

  constructor(
    database: Database,
    namespaces: NamespaceIds,
    idempotencyRecords: IdempotencyRecords,
    {
      model,
      policies,
      log,
      metrics,
    }: {
      readonly model: VectorModel;
      readonly policies: Pick<EmbeddedCachePolicyStore, "read">;
      readonly log: Log;
      readonly metrics: RemovalMetrics;
    },
  ) {
    this.#database = database;
    this.#namespaces = namespaces;
    this.#idempotencyRecords = idempotencyRecords;
    this.#model = model;
    this.#policies = policies;
    this.#invalidations = new CacheInvalidations(database);
    const details = new CacheDetailCounters(database);
    this.#scores = new EntryScores(database, { invalidations: this.#invalidations, details, metrics });
    this.#vectors = new ScopeVectors(database, this.#invalidations, model, log);
    const parts = {
      database,
      namespaces,
      idempotencyRecords,
      invalidations: this.#invalidations,
      scores: this.#scores,
      details,
      log,
    };
    this.#statistics = new CacheStatistics(parts);
    this.#invalidator = new CacheInvalidator(parts, (namespaceId) => {
      this.#entries.clear();
      this.#vectors.drop(namespaceId);
    });
    this.#list = new CacheList(database, namespaces, this.#invalidations);
    this.#reports = new CacheReports(parts, {
      row: (namespaceId, id, now) => this.#row(namespaceId, id, now),
      entryAt: (row) => this.#entryAt(row),
      onQuarantined: (namespaceId, row, { fingerprint, expireTime }) =>
        this.#vectors.put(namespaceId, fingerprint, row, undefined, expireTime),
    });
    database.onChange("cache_entry", (row) => {
      this.#entries.delete(row);
      this.#claims.end(row);
    });
  }

  lookup(namespace: NamespaceKey, { id, nearest }: CacheLookupQuery, now: number): FoundEntries {
    return {
      exact: id === undefined ? undefined : this.#find(namespace, id, now),
      nearest: nearest === undefined ? [] : this.#nearest(namespace, nearest, now),
      generation: this.#invalidator.generation(namespace),
      policy: this.#policies.read(namespace),
    };
  }

  async list(
    scope: NamespaceKey,
    query: CacheListQuery,
  ): Promise<{ readonly entries: CacheEntry[]; readonly more: boolean }> {
    const { rows, more } = this.#list.page(scope, query);
    return { entries: rows.flatMap((row) => this.#entryAt(row) ?? []), more };
  }

  put(scope: NamespaceKey, entry: CacheEntry, options: PutCacheEntryOptions): Promise<PutCacheEntryResult> {
    const { now, decidedAt, request } = options;
    // Before the put in the same transaction, so that recently served entries do not count as unused.
    void this.#statistics.flush();
    return this.#database.write((): Written<PutCacheEntryResult> => {
      const namespaceId = this.#namespaces.findOrCreate(scope);
      const recorded = this.#idempotencyRecords.replay(namespaceId, request, now);
      if (recorded !== undefined) return { result: this.#replay(scope, namespaceId, entry, recorded, now) };
      this.#scores.deleteRemembering(
        "expired",
        "SELECT row FROM cache_entry WHERE expire_time <= ? LIMIT ?",
        now,
        SWEEP_LIMIT,
      );
      if (decidedAt !== undefined && this.#invalidations.lastMatch(namespaceId, entry) > decidedAt) {
        throw cacheInvalidated(scope.namespace);
      }
      const vector = this.#model.takes(options.model) ? options.vector : undefined;
      const { row, ...result } = this.#bounded(namespaceId, entry, vector, options);
      const { replaced, refused } = result;
      this.#idempotencyRecords.record(
        namespaceId,
        request,
        { id: entry.id, replaced, ...(refused === undefined ? {} : { refused }) },
        now,
      );
      if (row === undefined) return { result };
      return {
        result,
        afterCommit: () => this.#vectors.put(namespaceId, entry.fingerprint, row, vector, entry.expireTime),
      };
    });
  }

  delete(
    scope: NamespaceKey,
    id: string,
    options: { readonly etag?: string; readonly now: number; readonly request?: IdempotentRequest },
  ): Promise<void> {
    const { etag, now, request } = options;
    return this.#database.write(
      (): Written<void> => {
        const namespaceId = this.#namespaces.find(scope);
        if (namespaceId === undefined) throw cacheEntryNotFound(scope.namespace, id);
        if (this.#idempotencyRecords.replay(namespaceId, request, now) !== undefined)
          return { result: undefined };
        const row = this.#row(namespaceId, id, now);
        const entry = row === undefined ? undefined : this.#entryAt(row);
        if (row === undefined || entry === undefined) throw cacheEntryNotFound(scope.namespace, id);
        if (etag !== undefined && etag !== entry.etag) {
          throw cacheEntryChanged(id, entry.etag);
        }
        this.#database.run("DELETE FROM cache_entry WHERE row = ?", row);
        this.#idempotencyRecords.record(namespaceId, request, { deleted: id }, now);
        return { result: undefined };
      },
      { deletes: true },
    );
  }

  async invalidate(
    scope: NamespaceKey,
    filter: InvalidationFilter,
    options: { readonly now: number; readonly request?: IdempotentRequest },
  ): Promise<void> {
    await this.#invalidator.invalidate(scope, filter, options);
  }

  async claimRefresh(
    scope: NamespaceKey,
    id: string,
    { now, until }: { readonly now: number; readonly until: number },
  ): Promise<boolean> {
    const namespaceId = this.#namespaces.find(scope);
    const row = namespaceId === undefined ? undefined : this.#row(namespaceId, id, now);
    return row !== undefined && this.#claims.claim(row, { now, until });
  }

  async report(
    scope: NamespaceKey,
    report: OutcomeReport,
    options: { readonly now: number; readonly request?: IdempotentRequest },
  ): Promise<Reported> {
    return this.#reports.report(scope, report, options);
  }

  async countMatching(scope: NamespaceKey, filter: InvalidationFilter, now: number): Promise<number> {
    return this.#list.count(scope, filter, now);
  }

  /** Deletes the invalidated entries that an earlier process left, in the background. */
  resumeReclaiming(): void {
    this.#invalidator.resume();
  }

  countLookup(scope: NamespaceKey, lookup: CacheLookup, now: number): void {
    this.#statistics.count(scope, lookup, now);
  }

  stats(scope: NamespaceKey, now: number): Promise<CacheStats> {
    return this.#statistics.read(scope, now);
  }

  #find(namespace: NamespaceKey, id: string, now: number): CacheEntry | undefined {
    const cached = this.#entries.find(namespace, id);
    if (cached !== undefined) return cached.expireTime > now ? cached : undefined;
    const namespaceId = this.#namespaces.find(namespace);
    const row = namespaceId === undefined ? undefined : this.#row(namespaceId, id, now);
    return row === undefined ? undefined : this.#validEntryOf(namespace, row);
  }

  #nearest(namespace: NamespaceKey, query: NearestQuery, now: number): Neighbour[] {
    const namespaceId = this.#namespaces.find(namespace);
    if (namespaceId === undefined) return [];
    const { fingerprint, vector, limit } = query;
    this.#model.check(query.model);
    const table = this.#vectors.open(namespaceId, fingerprint);
    let found: {
      readonly row: number;
      readonly entry: CacheEntry | undefined;
      readonly similarity: number;
    }[];
    let stale: typeof found;
    do {
      const near = table.nearestDefault(vector, limit, now);
      found = near.map(({ row, similarity }) => ({
        row,
        entry: this.#validEntryOf(namespace, row),
        similarity: clampSimilarity(similarity),
      }));
      // Rows are deleted in many places (swept, evicted, with their namespace), and reports shorten their lives; their
      // vectors are removed here.
      stale = found.filter(({ entry }) => entry?.fingerprint !== fingerprint || entry.expireTime <= now);
      for (const { row } of stale) table.remove(row);
    } while (stale.length > 0);
    return found.flatMap(({ entry, similarity }) => (entry === undefined ? [] : [{ entry, similarity }]));
  }

  /** Reads the entry of a valid row of this namespace through the EntryCache. Never inside a write. */
  #validEntryOf(namespace: NamespaceKey, row: number): CacheEntry | undefined {
    const cached = this.#entries.at(row);
    if (cached !== undefined) return cached;
    const entry = this.#entryAt(row);
    if (entry !== undefined) this.#entries.set(namespace, row, entry);
    return entry;
  }

  /** Main memory of the prompts' vectors, in bytes. */
  get vectorBytes(): number {
    return this.#vectors.memoryBytes;
  }

  /** A namespace was deleted: the EntryCache may hold entries of it whose rows are not deleted yet. */
  namespaceDeleted(): void {
    this.#entries.clear();
    this.#invalidator.namespaceDeleted();
  }

  /** Drops the cached vectors: the next lookup of each scope reads them from disk. */
  dropVectors(): void {
    this.#vectors.clear();
  }

  /** Queues the counts so far in the database, which writes them when it is closed, and stops the timer. */
  [Symbol.dispose](): void {
    this.#invalidator[Symbol.dispose]();
    this.#statistics[Symbol.dispose]();
  }

  /** Makes room for an entry and writes it; without a row, it was refused. */
  #bounded(
    namespaceId: number,
    entry: CacheEntry,
    vector: Float32Array | undefined,
    { maxEntries, maxBytes, policy = "LRU", now }: PutCacheEntryOptions,
  ): PutCacheEntryResult & { readonly row?: number } {
    const rule = scoreRule(policy, maxBytes !== undefined);
    const { id, createTime, expireTime } = entry;
    const bytes = entryBytes(entry, vector?.length ?? 0);
    const replaced = this.#row(namespaceId, id, now) !== undefined;
    if (maxBytes !== undefined && bytes > maxBytes) {
      return { entry, replaced: false, evicted: 0, refused: "TOO_LARGE" };
    }
    const usage = this.#scores.usage(namespaceId, id, { cost: answerCost(entry), isReplaced: replaced, now });
    const candidate = { id, createTime, expireTime, bytes, ...usage };
    const bounds = { maxEntries, maxBytes, isReplaced: replaced };
    const { evicted, isRefused } = this.#scores.makeRoom(namespaceId, rule, candidate, bounds, now);
    this.#database.run(
      "UPDATE cache_counter SET stores = stores + ?, evictions = evictions + ? WHERE namespace_id = ?",
      isRefused ? 0 : 1,
      evicted,
      namespaceId,
    );
    if (!replaced) this.#scores.countDead(namespaceId, id, now);
    if (isRefused) this.#scores.refuse(namespaceId, candidate);
    const row = isRefused ? undefined : this.#upsert(namespaceId, entry, vector);
    if (row !== undefined) this.#scores.write(namespaceId, row, rule, candidate);
    this.#scores.forgetOthers(namespaceId, maxEntries);
    if (row === undefined) return { entry, replaced: false, evicted, refused: "NOT_ADMITTED" };
    return { entry, replaced, evicted, row };
  }

  #upsert(namespaceId: number, entry: CacheEntry, vector: Float32Array | undefined): number {
    const written = this.#database.first(
      `INSERT INTO cache_entry (namespace_id, id, fingerprint, model, create_time, expire_time, bytes, vector,
         record)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (namespace_id, id) DO UPDATE SET fingerprint = excluded.fingerprint, model = excluded.model,
         create_time = excluded.create_time, expire_time = excluded.expire_time,
         bytes = excluded.bytes, vector = excluded.vector, record = excluded.record
       RETURNING row`,
      namespaceId,
      entry.id,
      entry.fingerprint,
      entry.model,
      entry.createTime,
      entry.expireTime,
      entryBytes(entry, vector?.length ?? 0),
      vector === undefined ? null : encodeVector(vector),
      encodeRecord(entry),
    );
    const row = Number(written?.["row"]);
    this.#database.run(
      // EntryScores writes the rest.
      `INSERT INTO cache_entry_use (row, namespace_id, keep_score, generation) VALUES (?, ?, 0, ?)
       ON CONFLICT (row) DO UPDATE SET generation = excluded.generation`,
      row,
      namespaceId,
      this.#model.written.generation,
    );
    this.#invalidations.stamp(row, namespaceId, entry);
    this.#database.run("DELETE FROM cache_entry_tag WHERE row = ?", row);
    for (const tag of new Set(entry.tags)) {
      this.#database.run("INSERT INTO cache_entry_tag (row, tag) VALUES (?, ?)", row, tag);
    }
    return row;
  }

  /** The recorded outcome of a put, with the entry as it is now. */
  #replay(
    scope: NamespaceKey,
    namespaceId: number,
    given: CacheEntry,
    recorded: Json,
    now: number,
  ): PutCacheEntryResult {
    const { id, ...outcome } = recorded as unknown as Omit<PutCacheEntryResult, "entry"> & {
      readonly id: string;
    };
    if (outcome.refused !== undefined) return { ...outcome, entry: given, evicted: 0 };
    const row = this.#row(namespaceId, id, now);
    const entry = row === undefined ? undefined : this.#entryAt(row);
    if (entry === undefined) throw cacheEntryNotFound(scope.namespace, id);
    return { ...outcome, entry, evicted: 0 };
  }

  /** The row of an entry that has not expired and is not invalidated. */
  #row(namespaceId: number, id: string, now: number): number | undefined {
    const found = this.#database.first(
      `SELECT row FROM cache_entry e WHERE namespace_id = ? AND id = ? AND expire_time > ?
       ${this.#invalidations.andValid(namespaceId)}`,
      namespaceId,
      id,
      now,
    );
    return found === undefined ? undefined : Number(found["row"]);
  }

  #entryAt(row: number): CacheEntry | undefined {
    const found = this.#database.first("SELECT id, record FROM cache_entry WHERE row = ?", row);
    return found === undefined ? undefined : entryOf(found);
  }
}

function entryOf(row: Row): CacheEntry {
  return decodeRecord<CacheEntry>(row["record"], `cache entry ${String(row["id"])}`);
}
