import type { NamespaceKey } from "../../domain/access/tenancy.ts";
import type { CacheEntry } from "../../domain/cache/entry.ts";
import type { EvictionPolicy } from "../../domain/cache/eviction.ts";
import type { OutcomeReport } from "../../domain/cache/feedback.ts";
import type { InvalidationFilter } from "../../domain/cache/invalidation.ts";
import type { CacheLookup } from "../../domain/cache/lookup-counts.ts";
import type { Neighbour } from "../../domain/cache/matching.ts";
import type { CachePolicy } from "../../domain/cache/policy.ts";
import type { CacheDetails } from "../../domain/cache/statistics.ts";
import type { EmbedderIdentity } from "../embedding/embedder.ts";
import type { IdempotentRequest } from "../idempotency.ts";

/** A page of entries. */
export interface CacheListQuery {
  /** Absent: any model. */
  readonly model?: string;
  /** Absent: any tags. */
  readonly tagsAny?: readonly string[];
  /** The key of the last entry before the page. */
  readonly after?: { readonly createTime: number; readonly id: string };
  readonly limit: number;
  /** Most bytes of the entries in the page (see entryBytes); it contains one entry at least. */
  readonly maxBytes: number;
  readonly now: number;
}

/** Which entries to find; absent fields are not searched. */
export interface CacheLookupQuery {
  readonly id?: string;
  readonly nearest?: NearestQuery;
}

export interface FoundEntries {
  /** The entry with the id. */
  readonly exact: CacheEntry | undefined;
  /** Nearest first. */
  readonly nearest: readonly Neighbour[];
  /** The policy of the namespace, as it is at this moment; see CachePolicyStore. */
  readonly policy: CachePolicy;
  /** The generation of the last invalidation in the namespace, before anything was read; 0: none. See nextGeneration. */
  readonly generation: number;
}

/** The entries of one fingerprint whose prompts are nearest to the vector, at most `limit`. */
export interface NearestQuery {
  readonly fingerprint: string;
  readonly vector: Float32Array;
  /** The model that made the vector. The store throws ModelChanged when its own are of another. */
  readonly model?: EmbedderIdentity;
  readonly limit: number;
}

/** The size of a cache now, and its counters since its namespace was created. */
export interface CacheStats {
  /** Unexpired entries. */
  readonly entryCount: number;
  /** Bytes of unexpired entries; see entryBytes. */
  readonly byteCount: number;
  readonly exactHits: number;
  readonly semanticHits: number;
  readonly misses: number;
  /** Completed puts. */
  readonly stores: number;
  readonly evictions: number;
  readonly details: CacheDetails;
}

/** See CacheStore.put. */
export interface PutCacheEntryOptions {
  readonly vector?: Float32Array;
  /** The model that made the vector; a vector of another model than the stored ones is dropped. */
  readonly model?: EmbedderIdentity;
  /** 1 at least. */
  readonly maxEntries: number;
  /** A bound on the sum of entryBytes. Absent: none. */
  readonly maxBytes?: number;
  /** Default: LRU. */
  readonly policy?: EvictionPolicy;
  readonly now: number;
  /** The generation at the decision that the answer was generated for; absent: unknown, and not compared. */
  readonly decidedAt?: number;
  readonly request?: IdempotentRequest;
}

/**
 * Why a put stored nothing: entries that are worth more fill the namespace (see isAdmitted), or the entry alone is beyond
 * maxBytes.
 */
export type PutRefusal = "NOT_ADMITTED" | "TOO_LARGE";

export interface PutCacheEntryResult {
  /** As stored; as given where it was refused. */
  readonly entry: CacheEntry;
  readonly replaced: boolean;
  readonly evicted: number;
  /** Absent: it was stored. */
  readonly refused?: PutRefusal;
}

/**
 * Stores answers. Every method is limited to one namespace. A write that has resolved is durable and visible to every
 * later read; a rejected one has changed nothing. Reads omit entries that have expired at `now`. Rejects with
 * STORE_UNAVAILABLE, STORE_FULL or STORE_CORRUPT.
 */
export interface CacheStore {
  /**
   * Finds an entry by its id, the nearest ones, or both in one step, and the policy of the namespace with them: one round
   * trip to a remote store. A store in this process returns or throws synchronously, so that the caller needs no timer.
   */
  lookup(
    namespaceKey: NamespaceKey,
    query: CacheLookupQuery,
    now: number,
  ): FoundEntries | Promise<FoundEntries>;

  /** Entries after `after`, newest first by (createTime, id); `more`: whether others follow. */
  list(
    namespaceKey: NamespaceKey,
    query: CacheListQuery,
  ): Promise<{ readonly entries: CacheEntry[]; readonly more: boolean }>;

  /**
   * Writes an entry, replacing the one with its id. A vector has unit length; without one the entry is found by id only.
   *
   * The same atomic step bounds the namespace to `maxEntries` and `maxBytes`, at any time: it deletes expired and
   * invalidated entries first, then evicts by the rule of the policy (scoreRule): first entries that were last put or used under another
   * rule, then those with the lowest score; never the written one. `evicted` counts both. A use is a put or a counted
   * hit; hits are scored by the rule of the last put. The rule may refuse an entry (isAdmitted), which is not stored then,
   * unless it replaces one that has not expired; an entry that is TOO_LARGE replaces none either. The uses of an id are
   * remembered when it is refused, is evicted, invalidated or expires (rememberedIds), and forgotten when it is deleted.
   *
   * A replay of a completed request changes and evicts nothing, and resolves with the same `replaced` and `refused` and
   * the current entry; CACHE_ENTRY_NOT_FOUND when that was deleted since. Rejects with REQUEST_ID_REUSED or
   * TOO_MANY_NAMESPACES, and with CACHE_INVALIDATED when an invalidation of a generation above `decidedAt` matches the entry;
   * the invalidations of the last DECISION_LIFETIME_MS are compared.
   */
  put(
    namespaceKey: NamespaceKey,
    entry: CacheEntry,
    options: PutCacheEntryOptions,
  ): Promise<PutCacheEntryResult>;

  /**
   * Deletes one entry. Rejects with CACHE_ENTRY_NOT_FOUND, or with ETAG_MISMATCH when `etag` is not its etag. A replay of a
   * completed request resolves. Rejects with REQUEST_ID_REUSED as in put.
   */
  delete(
    namespaceKey: NamespaceKey,
    id: string,
    options: { readonly etag?: string; readonly now: number; readonly request?: IdempotentRequest },
  ): Promise<void>;

  /**
   * Invalidates the stored entries that match, in one step that does not depend on their number; later puts are not
   * affected. Their space is freed afterwards in bounded steps, by this process and by later puts and stats. Does nothing
   * in a namespace that does not exist. A replay of a completed request changes nothing. Rejects with REQUEST_ID_REUSED.
   */
  invalidate(
    namespaceKey: NamespaceKey,
    filter: InvalidationFilter,
    options: { readonly now: number; readonly request?: IdempotentRequest },
  ): Promise<void>;

  /**
   * Applies a report to the answer that it is about (see applyReport) in one atomic step, and counts it. `applied`: false when
   * that answer is not stored any more; then it is only counted. A replay of a completed request changes nothing, and resolves
   * with the same. Does nothing in a namespace that does not exist. Rejects with REQUEST_ID_REUSED.
   */
  report(
    namespaceKey: NamespaceKey,
    report: OutcomeReport,
    options: { readonly now: number; readonly request?: IdempotentRequest },
  ): Promise<{ readonly applied: boolean; readonly quarantined: boolean }>;

  /** Number of entries that an invalidation would affect now. */
  countMatching(namespaceKey: NamespaceKey, filter: InvalidationFilter, now: number): Promise<number>;

  /**
   * Gives the right to refresh an entry to one caller until `until`: true for the first of all callers of all processes,
   * false for others before `until` has passed or the entry was put, deleted or changed by a report, and for an entry that
   * is not stored. Writes nothing where it is false.
   */
  claimRefresh(
    namespaceKey: NamespaceKey,
    id: string,
    options: { readonly now: number; readonly until: number },
  ): Promise<boolean>;

  /**
   * Counts a lookup, and a hit as a use of its entry. Synchronous, without I/O or errors: counts are flushed in batches,
   * within a second and when the store is closed; a crash, or a failed write, loses a batch. `put` and `stats` of the same
   * store object include all earlier counts. Counts in a namespace that does not exist are dropped.
   */
  countLookup(namespaceKey: NamespaceKey, lookup: CacheLookup, now: number): void;

  /** All zero for a namespace that was never written to. */
  stats(namespaceKey: NamespaceKey, now: number): Promise<CacheStats>;
}
