import type { NamespaceKey } from "../../domain/access/tenancy.ts";
import type { CacheEntry } from "../../domain/cache/entry.ts";
import type { CacheLookup } from "../../domain/cache/lookup-counts.ts";
import type { Neighbour } from "../../domain/cache/matching.ts";
import type { EmbedderIdentity } from "../embedding/embedder.ts";
import type { IdempotentRequest } from "../idempotency.ts";

/** Which page of a list. */
export interface CacheListQuery {
  /** Absent: of any model. */
  readonly model?: string;
  /** Absent: whatever their tags. */
  readonly tagsAny?: readonly string[];
  /** The key of the last entry before the page. */
  readonly after?: { readonly createTime: number; readonly id: string };
  readonly limit: number;
  /** The page ends before the entry with which it would take more (see entryBytes); it holds one at least. */
  readonly maxBytes: number;
  readonly now: number;
}

/** Which entries to find; what is absent is not looked for. */
export interface CacheLookupQuery {
  readonly id?: string;
  readonly nearest?: NearestQuery;
}

export interface FoundEntries {
  /** The entry with the id. */
  readonly exact: CacheEntry | undefined;
  /** Nearest first. */
  readonly nearest: readonly Neighbour[];
}

/** The entries of one fingerprint whose prompts are nearest to the vector, at most `limit`. */
export interface NearestQuery {
  readonly fingerprint: string;
  readonly vector: Float32Array;
  /** The model that made the vector. The store throws ModelChanged when its own are of another. */
  readonly model?: EmbedderIdentity;
  readonly limit: number;
}

/** What a cache holds now, and what became of it since its namespace came into being. */
export interface CacheStats {
  /** Of entries that have not expired. */
  readonly entryCount: number;
  /** Of the same; see entryBytes. */
  readonly byteCount: number;
  readonly exactHits: number;
  readonly semanticHits: number;
  readonly misses: number;
  /** Puts that were carried out. */
  readonly stores: number;
  readonly evictions: number;
}

/**
 * Keeps answers. Every method works inside one scope and sees nothing else. A write that has resolved is
 * durable and seen by every later read; a rejected one has changed nothing. Reads leave out what has expired at
 * `now`. Rejects with STORE_UNAVAILABLE, STORE_FULL or STORE_CORRUPT.
 */
export interface CacheStore {
  /**
   * Finds an entry by its id, the nearest ones, or both in one step: one round trip where the store is elsewhere. A store in
   * this process returns or throws at once, so that no timer has to be started.
   */
  lookup(namespace: NamespaceKey, query: CacheLookupQuery, now: number): FoundEntries | Promise<FoundEntries>;

  /** Entries, newest first by (createTime, id), from behind `after` on; `more`: others come behind these. */
  list(
    scope: NamespaceKey,
    query: CacheListQuery,
  ): Promise<{ readonly entries: CacheEntry[]; readonly more: boolean }>;

  /**
   * Writes an entry, replacing the one with its id. A vector is of unit length; without one the entry is found
   * by id only.
   *
   * In the same atomic step the scope is brought down to `maxEntries`, 1 at least: first expired entries go, then
   * those of the lowest keepScore, by their last put or counted hit; never the one that is written. `evicted` is how
   * many of the latter went.
   *
   * A repeat of a request that was carried out changes nothing, evicts nothing, and answers `replaced` as it did, with
   * the entry as it now is; CACHE_ENTRY_NOT_FOUND when that is gone since. Rejects with REQUEST_ID_REUSED or TOO_MANY_NAMESPACES.
   */
  put(
    scope: NamespaceKey,
    entry: CacheEntry,
    options: {
      readonly vector?: Float32Array;
      /** The model that made the vector; one of another model than the stored ones is not kept. */
      readonly model?: EmbedderIdentity;
      readonly maxEntries: number;
      readonly now: number;
      readonly request?: IdempotentRequest;
    },
  ): Promise<{ readonly entry: CacheEntry; readonly replaced: boolean; readonly evicted: number }>;

  /**
   * Deletes one entry. Rejects with CACHE_ENTRY_NOT_FOUND, or with ETAG_MISMATCH when an etag is given that is not
   * its. A repeat of a request that was carried out resolves; REQUEST_ID_REUSED as in put.
   */
  delete(
    scope: NamespaceKey,
    id: string,
    options: { readonly etag?: string; readonly now: number; readonly request?: IdempotentRequest },
  ): Promise<void>;

  /**
   * Counts a lookup, and its hit as a use of the entry. Never waits, writes or fails: what was counted is written in
   * batches, within a second and when the store is closed; a crash, or a write that fails, loses a batch. `put` and
   * `stats` of the same store object know all that was counted before. What was counted in a namespace that is not
   * there is dropped.
   */
  countLookup(scope: NamespaceKey, lookup: CacheLookup, now: number): void;

  /** All zero for a namespace that was never written to. */
  stats(scope: NamespaceKey, now: number): Promise<CacheStats>;
}
