import type { NamespaceKey } from "../../../domain/access/tenancy.ts";
import { type CacheEntry, entryBytes } from "../../../domain/cache/entry.ts";
import { excessEntries, keepScore } from "../../../domain/cache/eviction.ts";
import type { OutcomeReport } from "../../../domain/cache/feedback.ts";
import { cacheInvalidated, type InvalidationFilter } from "../../../domain/cache/invalidation.ts";
import {
  type CacheLookup,
  LookupCounts,
  type NamespaceLookups,
} from "../../../domain/cache/lookup-counts.ts";
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
} from "../../../ports/cache/cache-store.ts";
import type { IdempotentRequest } from "../../../ports/idempotency.ts";
import type { Log } from "../../../ports/log.ts";
import { BatchedWrites } from "../database/batched-writes.ts";
import { CacheInvalidations } from "../database/cache-invalidations.ts";
import { decodeRecord, encodeRecord, encodeVector } from "../database/checksums.ts";
import type { Database, Row, Written } from "../database/database.ts";
import type { IdempotencyRecords } from "../namespaces/idempotency.ts";
import type { NamespaceIds } from "../namespaces/namespace-ids.ts";
import { ScopeVectors } from "../vectors/scope-vectors.ts";
import type { VectorModel } from "../vectors/vector-model.ts";
import { EntryCache } from "./entry-cache.ts";
import { CacheInvalidator } from "./invalidator.ts";
import { CacheList } from "./list.ts";
import { CacheReports, type Reported } from "./reports.ts";

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
  readonly #entries = new EntryCache();
  readonly #counts = new LookupCounts();
  readonly #lookups: BatchedWrites<NamespaceLookups[]>;

  constructor(
    database: Database,
    namespaces: NamespaceIds,
    idempotencyRecords: IdempotencyRecords,
    { model, log }: { readonly model: VectorModel; readonly log: Log },
  ) {
    this.#database = database;
    this.#namespaces = namespaces;
    this.#idempotencyRecords = idempotencyRecords;
    this.#lookups = new BatchedWrites({
      database,
      log,
      failureMessage: "cache lookups could not be counted",
      take: () => (this.#counts.size === 0 ? undefined : this.#counts.take()),
      write: (counts) => {
        for (const lookups of counts) this.#writeCounts(lookups);
      },
    });
    this.#model = model;
    this.#invalidations = new CacheInvalidations(database);
    this.#vectors = new ScopeVectors(database, this.#invalidations, model, log);
    const parts = { database, namespaces, idempotencyRecords, invalidations: this.#invalidations, log };
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
    database.onChange("cache_entry", (row) => this.#entries.delete(row));
    // Pending counts belong to lookups in a missing namespace, or in the deleted one of the same name.
    namespaces.onCreated((scope) => this.#counts.forget(scope));
  }

  lookup(namespace: NamespaceKey, { id, nearest }: CacheLookupQuery, now: number): FoundEntries {
    return {
      exact: id === undefined ? undefined : this.#find(namespace, id, now),
      nearest: nearest === undefined ? [] : this.#nearest(namespace, nearest, now),
      generation: this.#invalidator.generation(namespace),
    };
  }

  async list(
    scope: NamespaceKey,
    query: CacheListQuery,
  ): Promise<{ readonly entries: CacheEntry[]; readonly more: boolean }> {
    const { rows, more } = this.#list.page(scope, query);
    return { entries: rows.flatMap((row) => this.#entryAt(row) ?? []), more };
  }

  put(
    scope: NamespaceKey,
    entry: CacheEntry,
    options: PutCacheEntryOptions,
  ): Promise<{ readonly entry: CacheEntry; readonly replaced: boolean; readonly evicted: number }> {
    const { maxEntries, now, decidedAt, request } = options;
    // Before the put in the same transaction, so that recently served entries do not count as unused.
    void this.#lookups.flush();
    return this.#database.write(() => {
      const namespaceId = this.#namespaces.findOrCreate(scope);
      const recorded = this.#idempotencyRecords.replay(namespaceId, request, now);
      if (recorded !== undefined) return { result: this.#replay(scope, namespaceId, recorded, now) };
      this.#database.run(
        "DELETE FROM cache_entry WHERE row IN (SELECT row FROM cache_entry WHERE expire_time <= ? LIMIT ?)",
        now,
        SWEEP_LIMIT,
      );
      if (decidedAt !== undefined && this.#invalidations.lastMatch(namespaceId, entry) > decidedAt) {
        throw cacheInvalidated(scope.namespace);
      }
      const old = this.#row(namespaceId, entry.id, now);
      const vector = this.#model.takes(options.model) ? options.vector : undefined;
      const row = this.#upsert(namespaceId, entry, vector, now);
      const evicted = this.#makeRoom(namespaceId, row, maxEntries, now);
      this.#database.run(
        "UPDATE cache_counter SET stores = stores + 1, evictions = evictions + ? WHERE namespace_id = ?",
        evicted,
        namespaceId,
      );
      const replaced = old !== undefined;
      this.#idempotencyRecords.record(namespaceId, request, { id: entry.id, replaced }, now);
      return {
        result: { entry, replaced, evicted },
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
    this.#counts.add(scope, lookup, now);
    this.#lookups.counted(this.#counts.size);
  }

  async stats(scope: NamespaceKey, now: number): Promise<CacheStats> {
    await this.#lookups.flush();
    const namespaceId = this.#namespaces.find(scope);
    const counter =
      namespaceId === undefined
        ? undefined
        : this.#database.first(
            `SELECT exact_hits, semantic_hits, misses, stores, evictions,
               count(e.row) AS entries, sum(e.bytes) AS bytes
             FROM cache_counter c LEFT JOIN cache_entry e ON e.namespace_id = c.namespace_id AND e.expire_time > ?1
               ${this.#invalidations.andValid(namespaceId)}
             WHERE c.namespace_id = ?2`,
            now,
            namespaceId,
          );
    return {
      entryCount: Number(counter?.["entries"] ?? 0),
      byteCount: Number(counter?.["bytes"] ?? 0),
      exactHits: Number(counter?.["exact_hits"] ?? 0),
      semanticHits: Number(counter?.["semantic_hits"] ?? 0),
      misses: Number(counter?.["misses"] ?? 0),
      stores: Number(counter?.["stores"] ?? 0),
      evictions: Number(counter?.["evictions"] ?? 0),
    };
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
    this.#lookups[Symbol.dispose]();
  }

  #writeCounts({ scope, exactHits, semanticHits, misses, lastUses }: NamespaceLookups): void {
    const namespaceId = this.#namespaces.find(scope);
    // Lookups create no namespace, and do not create a deleted one again.
    if (namespaceId === undefined) return;
    this.#database.run(
      `INSERT INTO cache_counter (namespace_id, exact_hits, semantic_hits, misses) VALUES (?, ?, ?, ?)
       ON CONFLICT (namespace_id) DO UPDATE SET exact_hits = exact_hits + excluded.exact_hits,
         semantic_hits = semantic_hits + excluded.semantic_hits, misses = misses + excluded.misses`,
      namespaceId,
      exactHits,
      semanticHits,
      misses,
    );
    for (const [id, lastUseTime] of lastUses) {
      this.#database.run(
        `UPDATE cache_entry_use SET keep_score = max(keep_score, ?)
         WHERE row = (SELECT row FROM cache_entry WHERE namespace_id = ? AND id = ?)`,
        keepScore({ lastUseTime }),
        namespaceId,
        id,
      );
    }
  }

  #upsert(namespaceId: number, entry: CacheEntry, vector: Float32Array | undefined, now: number): number {
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
      `INSERT INTO cache_entry_use (row, namespace_id, keep_score, generation) VALUES (?, ?, ?, ?)
       ON CONFLICT (row) DO UPDATE SET keep_score = max(keep_score, excluded.keep_score),
         generation = excluded.generation`,
      row,
      namespaceId,
      keepScore({ lastUseTime: now }),
      this.#model.written.generation,
    );
    this.#invalidations.stamp(row, namespaceId, entry);
    this.#database.run("DELETE FROM cache_entry_tag WHERE row = ?", row);
    for (const tag of new Set(entry.tags)) {
      this.#database.run("INSERT INTO cache_entry_tag (row, tag) VALUES (?, ?)", row, tag);
    }
    return row;
  }

  /** Evicts entries down to the bound of the namespace; returns how many unexpired entries were evicted. */
  #makeRoom(namespaceId: number, newRow: number, maxEntries: number, now: number): number {
    const excess = (): number => {
      const counter = this.#database.first(
        "SELECT entry_count FROM cache_counter WHERE namespace_id = ?",
        namespaceId,
      );
      return excessEntries(Number(counter?.["entry_count"] ?? 0), maxEntries);
    };
    if (excess() === 0) return 0;
    this.#database.run(
      `DELETE FROM cache_entry WHERE row IN
         (SELECT row FROM cache_entry WHERE namespace_id = ? AND expire_time <= ? AND row <> ? LIMIT ?)`,
      namespaceId,
      now,
      newRow,
      excess(),
    );
    this.#invalidations.deleteSome(namespaceId, newRow, excess());
    const evicted = excess();
    this.#database.run(
      `DELETE FROM cache_entry WHERE row IN
         (SELECT row FROM cache_entry_use WHERE namespace_id = ? AND row <> ? ORDER BY keep_score, row LIMIT ?)`,
      namespaceId,
      newRow,
      evicted,
    );
    return evicted;
  }

  /** The recorded outcome of a put, with the entry as it is now. */
  #replay(
    scope: NamespaceKey,
    namespaceId: number,
    recorded: Json,
    now: number,
  ): { readonly entry: CacheEntry; readonly replaced: boolean; readonly evicted: number } {
    const { id, replaced } = recorded as { readonly id: string; readonly replaced: boolean };
    const row = this.#row(namespaceId, id, now);
    const entry = row === undefined ? undefined : this.#entryAt(row);
    if (entry === undefined) throw cacheEntryNotFound(scope.namespace, id);
    return { entry, replaced, evicted: 0 };
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
