import type { NamespaceKey } from "../../../domain/access/tenancy.ts";
import { type CacheEntry, entryBytes } from "../../../domain/cache/entry.ts";
import { answerCost, scoreRule } from "../../../domain/cache/eviction.ts";
import {
  type CacheLookup,
  LookupCounts,
  type NamespaceLookups,
} from "../../../domain/cache/lookup-counts.ts";
import type { Neighbour } from "../../../domain/cache/matching.ts";
import { clampSimilarity } from "../../../domain/embedding/vector.ts";
import { cacheEntryChanged, cacheEntryNotFound } from "../../../domain/errors.ts";
import { withinBytes } from "../../../domain/page-token.ts";
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
import { BatchedWrites } from "../database/batched-writes.ts";
import { decodeRecord, encodeRecord, encodeVector } from "../database/checksums.ts";
import type { Database, Row, Written } from "../database/database.ts";
import type { IdempotencyRecords } from "../namespaces/idempotency.ts";
import type { NamespaceIds } from "../namespaces/namespace-ids.ts";
import { ScopeVectors } from "../vectors/scope-vectors.ts";
import type { VectorModel } from "../vectors/vector-model.ts";
import { EntryCache } from "./entry-cache.ts";
import { EntryScores } from "./entry-scores.ts";
import type { EmbeddedCachePolicyStore } from "./policies.ts";
import { RefreshClaims } from "./refresh-claims.ts";

/** Each write removes a few expired entries, so that no write has to remove all of them. */
const SWEEP_LIMIT = 32;

/** Cached answers in SQLite; the prompts of one cache scope are compared exactly, in memory. */
export class EmbeddedCacheStore implements CacheStore, Disposable {
  readonly #database: Database;
  readonly #namespaces: NamespaceIds;
  readonly #idempotencyRecords: IdempotencyRecords;
  readonly #vectors: ScopeVectors;
  readonly #model: VectorModel;
  readonly #policies: Pick<EmbeddedCachePolicyStore, "read">;
  readonly #entries = new EntryCache();
  readonly #scores: EntryScores;
  readonly #claims = new RefreshClaims();
  readonly #counts = new LookupCounts();
  readonly #lookups: BatchedWrites<NamespaceLookups[]>;

  constructor(
    database: Database,
    namespaces: NamespaceIds,
    idempotencyRecords: IdempotencyRecords,
    {
      model,
      policies,
      log,
    }: {
      readonly model: VectorModel;
      readonly policies: Pick<EmbeddedCachePolicyStore, "read">;
      readonly log: Log;
    },
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
    this.#policies = policies;
    this.#vectors = new ScopeVectors(database, model, log);
    this.#scores = new EntryScores(database);
    database.onChange("cache_entry", (row) => {
      this.#entries.delete(row);
      this.#claims.end(row);
    });
    // Pending counts belong to lookups in a missing namespace, or in the deleted one of the same name.
    namespaces.onCreated((scope) => this.#counts.forget(scope));
  }

  lookup(namespace: NamespaceKey, { id, nearest }: CacheLookupQuery, now: number): FoundEntries {
    return {
      exact: id === undefined ? undefined : this.#find(namespace, id, now),
      nearest: nearest === undefined ? [] : this.#nearest(namespace, nearest, now),
      policy: this.#policies.read(namespace),
    };
  }

  async list(
    scope: NamespaceKey,
    query: CacheListQuery,
  ): Promise<{ readonly entries: CacheEntry[]; readonly more: boolean }> {
    const namespaceId = this.#namespaces.find(scope);
    if (namespaceId === undefined) return { entries: [], more: false };
    const { model, tagsAny, after, limit, maxBytes, now } = query;
    // Reads keys and sizes first, so that large answers beyond the page are not read.
    const rows = this.#database.all(
      // INDEXED BY, because the planner would otherwise sort the whole namespace rather than skip a few expired rows.
      `SELECT e.row, e.bytes FROM cache_entry e INDEXED BY cache_entry_by_time
       WHERE e.namespace_id = ? AND e.expire_time > ?
       ${model === undefined ? "" : "AND e.model = ?"}
       ${tagsAny === undefined ? "" : `AND EXISTS (${tagIn(tagsAny)})`}
       ${after === undefined ? "" : "AND (e.create_time, e.id) < (?, ?)"}
       ORDER BY e.create_time DESC, e.id DESC LIMIT ?`,
      namespaceId,
      now,
      ...(model === undefined ? [] : [model]),
      ...(tagsAny ?? []),
      ...(after === undefined ? [] : [after.createTime, after.id]),
      limit + 1,
    );
    const page = withinBytes(rows.slice(0, limit), (row) => Number(row["bytes"]), maxBytes);
    return {
      entries: page.flatMap((row) => this.#entryAt(Number(row["row"])) ?? []),
      more: rows.length > page.length,
    };
  }

  put(scope: NamespaceKey, entry: CacheEntry, options: PutCacheEntryOptions): Promise<PutCacheEntryResult> {
    const { now, request } = options;
    // Before the put in the same transaction, so that recently served entries do not count as unused.
    void this.#lookups.flush();
    return this.#database.write((): Written<PutCacheEntryResult> => {
      const namespaceId = this.#namespaces.findOrCreate(scope);
      const recorded = this.#idempotencyRecords.replay(namespaceId, request, now);
      if (recorded !== undefined) return { result: this.#replay(scope, namespaceId, entry, recorded, now) };
      this.#scores.deleteRemembering(
        "SELECT row FROM cache_entry WHERE expire_time <= ? LIMIT ?",
        now,
        SWEEP_LIMIT,
      );
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

  async claimRefresh(
    scope: NamespaceKey,
    id: string,
    { now, until }: { readonly now: number; readonly until: number },
  ): Promise<boolean> {
    const namespaceId = this.#namespaces.find(scope);
    const row = namespaceId === undefined ? undefined : this.#row(namespaceId, id, now);
    return row !== undefined && this.#claims.claim(row, { now, until });
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
               (SELECT count(*) FROM cache_entry e WHERE e.namespace_id = c.namespace_id AND e.expire_time > ?1) AS entries,
               (SELECT sum(bytes) FROM cache_entry e WHERE e.namespace_id = c.namespace_id AND e.expire_time > ?1) AS bytes
             FROM cache_counter c WHERE c.namespace_id = ?2`,
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
    return row === undefined ? undefined : this.#entryOf(namespace, row);
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
        entry: this.#entryOf(namespace, row),
        similarity: clampSimilarity(similarity),
      }));
      // Rows are deleted in many places (swept, evicted, with their namespace); their vectors are removed here.
      stale = found.filter(({ entry }) => entry?.fingerprint !== fingerprint);
      for (const { row } of stale) table.remove(row);
    } while (stale.length > 0);
    return found.flatMap(({ entry, similarity }) => (entry === undefined ? [] : [{ entry, similarity }]));
  }

  /** Reads the entry of a row of this namespace through the EntryCache. Never inside a write. */
  #entryOf(namespace: NamespaceKey, row: number): CacheEntry | undefined {
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

  /** Clears the EntryCache: it may hold entries of a deleted namespace whose rows are not deleted yet. */
  clearEntryCache(): void {
    this.#entries.clear();
  }

  /** Drops the cached vectors: the next lookup of each scope reads them from disk. */
  dropVectors(): void {
    this.#vectors.clear();
  }

  /** Queues the counts so far in the database, which writes them when it is closed, and stops the timer. */
  [Symbol.dispose](): void {
    this.#lookups[Symbol.dispose]();
  }

  #writeCounts({ scope, exactHits, semanticHits, misses, uses }: NamespaceLookups): void {
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
    this.#scores.countUses(namespaceId, uses);
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
    const usage = this.#scores.usage(namespaceId, id, answerCost(entry), now);
    const candidate = { id, createTime, expireTime, bytes, ...usage };
    const bounds = { maxEntries, maxBytes, isReplaced: replaced };
    const { evicted, isRefused } = this.#scores.makeRoom(namespaceId, rule, candidate, bounds, now);
    this.#database.run(
      "UPDATE cache_counter SET stores = stores + ?, evictions = evictions + ? WHERE namespace_id = ?",
      isRefused ? 0 : 1,
      evicted,
      namespaceId,
    );
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

  /** The row of an entry that has not expired. */
  #row(namespaceId: number, id: string, now: number): number | undefined {
    const found = this.#database.first(
      "SELECT row FROM cache_entry WHERE namespace_id = ? AND id = ? AND expire_time > ?",
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

function tagIn(tags: readonly string[]): string {
  return `SELECT 1 FROM cache_entry_tag t WHERE t.row = e.row AND t.tag IN (${tags.map(() => "?").join(", ")})`;
}
