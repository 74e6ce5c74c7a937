/** A search index, of all tenants together. */
export interface IndexInfo {
  /** Its name for operators, such as `memory` or `idx:memory`; not shared by two. */
  readonly name: string;
  readonly content: "MEMORIES" | "CACHE_ENTRIES";
  /** Documents in it; expired ones count until they are removed. */
  readonly documentCount: number;
  /** Documents of which something could not be indexed, and will not be by waiting. */
  readonly failureCount: number;
  /** Main memory that it takes now, in bytes; may be an estimate. */
  readonly memoryBytes: number;
  /** Share of the documents that is indexed whole, 0 to 1; the rest follows by itself. */
  readonly indexedFraction: number;
  /** How vectors are searched, `HNSW` or `FLAT`; empty when vector search is switched off. */
  readonly algorithm: string;
  /** Numbers in a vector; 0 when vector search is switched off. */
  readonly dimension: number;
}

/** How far a rebuild is. */
export interface RebuildProgress {
  /** Entries of indexes that are made; no more than `totalCount`, and as many when all is done. Never falls. */
  readonly indexedCount: number;
  /** Entries to be made; may change on the way, because writes go on. */
  readonly totalCount: number;
}

/** The indexes that searches go through. Rejects with STORE_UNAVAILABLE, STORE_FULL or STORE_CORRUPT. */
export interface IndexStore {
  /** All indexes, memories before cache entries. May take as long as a slow query: for operators, not for probes. */
  info(): Promise<readonly IndexInfo[]>;

  /**
   * Rebuilds all indexes from the stored documents, and yields at the beginning, on the way and when all is done. Documents
   * stay as they are. Reads find meanwhile what they would find without it, and writes are found as soon as without it: the
   * old indexes serve until the new ones can. It stops, and leaves the store as usable as it was, when `signal` aborts
   * (rejects with its reason), when the caller stops iterating, and in a crash. One at a time in a store: rejects with
   * INDEX_REBUILD_RUNNING.
   */
  rebuild(signal: AbortSignal): AsyncIterable<RebuildProgress>;
}
