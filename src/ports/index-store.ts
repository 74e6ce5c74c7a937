/** A search index, of all tenants together. */
export interface IndexInfo {
  /** Its unique name for operators, such as `memory` or `idx:memory`. */
  readonly name: string;
  readonly content: "MEMORIES" | "CACHE_ENTRIES";
  /** Documents in it; expired ones count until they are removed. */
  readonly documentCount: number;
  /** Documents with fields that could not be indexed; permanent. */
  readonly failureCount: number;
  /** Main memory in use, in bytes; may be an estimate. */
  readonly memoryBytes: number;
  /** Share of the documents that are completely indexed, 0 to 1; the others are being indexed. */
  readonly indexedFraction: number;
  /** How vectors are searched, `HNSW` or `FLAT`; empty when vector search is switched off. */
  readonly algorithm: string;
  /** Numbers in a vector; 0 when vector search is switched off. */
  readonly dimension: number;
}

/** The progress of a rebuild. */
export interface RebuildProgress {
  /** Index entries written; at most `totalCount`, and equal to it at the end. Never falls. */
  readonly indexedCount: number;
  /** Index entries to write in all; may change, because writes go on. */
  readonly totalCount: number;
}

/** The search indexes. Rejects with STORE_UNAVAILABLE, STORE_FULL or STORE_CORRUPT. */
export interface IndexStore {
  /** All indexes, memories before cache entries. May be as slow as a slow query: not for health probes. */
  info(): Promise<readonly IndexInfo[]>;

  /**
   * Rebuilds all indexes from the stored documents, and yields its progress at the start, on the way and at the end. Does
   * not change documents. Searches are served by the old indexes until the new ones are complete, with the same results and
   * the same delay of new writes. It stops, and leaves the store usable, when `signal` aborts (rejects with its reason),
   * when the caller stops iterating, and in a crash. One at a time in a store: rejects with INDEX_REBUILD_RUNNING.
   */
  rebuild(signal: AbortSignal): AsyncIterable<RebuildProgress>;
}
