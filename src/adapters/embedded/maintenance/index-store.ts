import { indexRebuildRunning } from "../../../domain/errors.ts";
import { abortable } from "../../../lib/abort.ts";
import type { IndexInfo, IndexStore, RebuildProgress } from "../../../ports/index-store.ts";
import type { Log } from "../../../ports/log.ts";
import type { EmbeddedCacheStore } from "../cache/store.ts";
import type { Database } from "../database/database.ts";
import type { KeywordIndex } from "../keywords/keyword-index.ts";
import type { MemoryVectors } from "../vectors/memory-vectors.ts";
import type { VectorModel } from "../vectors/vector-model.ts";
import { rebuildKeywordIndex, removeRebuildTables } from "./keyword-rebuild.ts";

export interface EmbeddedIndexStoreOptions {
  readonly keywords: KeywordIndex;
  readonly vectors: MemoryVectors;
  readonly cache: Pick<EmbeddedCacheStore, "vectorBytes" | "dropVectors">;
  readonly model: VectorModel;
  /** Resolves when the check of the file has finished; the file should not change before. */
  readonly checked: Promise<void>;
  readonly log: Log;
}

/**
 * The indexes of the embedded store. Memories have a keyword index in the file and in memory, and vector indexes in
 * memory whose graphs are saved beside the file; cache entries have their vectors in memory only.
 */
export class EmbeddedIndexStore implements IndexStore, AsyncDisposable {
  readonly #database: Database;
  readonly #options: EmbeddedIndexStoreOptions;
  #isRunning = false;
  #isClosed = false;
  /** Resolves when the tables that an interrupted rebuild left are removed. */
  #cleared: Promise<void>;

  constructor(database: Database, options: EmbeddedIndexStoreOptions) {
    this.#database = database;
    this.#options = options;
    this.#cleared = options.checked.then(() => this.#clear());
  }

  async info(): Promise<readonly IndexInfo[]> {
    const { model, keywords, vectors, cache } = this.#options;
    const counted = this.#database.first(
      `SELECT (SELECT coalesce(sum(memory_count), 0) FROM namespace) AS memories,
         (SELECT coalesce(max(memory_count), 0) FROM namespace) AS largest,
         (SELECT count(*) FROM memory_waiting WHERE refused = 0) AS waiting,
         (SELECT count(*) FROM memory_waiting WHERE refused = 1) AS refused,
         (SELECT coalesce(sum(entry_count), 0) FROM cache_counter) AS entries,
         (SELECT count(*) FROM cache_entry_use WHERE generation <> ?) AS outdated`,
      model.generation,
    );
    const count = (name: string): number => Number(counted?.[name] ?? 0);
    const isSearched = model.identity !== undefined;
    const algorithm = (name: string): string => (isSearched ? name : "");
    const { dimension } = model;
    return [
      {
        name: "memory",
        content: "MEMORIES",
        documentCount: count("memories"),
        failureCount: isSearched ? count("refused") : 0,
        memoryBytes: vectors.memoryBytes + keywords.tables.memoryBytes,
        indexedFraction: isSearched ? shareWithout(count("waiting"), count("memories")) : 1,
        algorithm: algorithm(count("largest") > vectors.graphAbove ? "HNSW" : "FLAT"),
        dimension,
      },
      {
        name: "cache",
        content: "CACHE_ENTRIES",
        documentCount: count("entries"),
        failureCount: 0,
        memoryBytes: cache.vectorBytes,
        // Entries with a vector of another model are found by exact match only, until they are stored again.
        indexedFraction: isSearched ? shareWithout(count("outdated"), count("entries")) : 1,
        algorithm: algorithm("FLAT"),
        dimension,
      },
    ];
  }

  async *rebuild(signal: AbortSignal): AsyncGenerator<RebuildProgress> {
    if (this.#isRunning) {
      throw indexRebuildRunning();
    }
    this.#isRunning = true;
    try {
      await abortable(this.#cleared, signal);
      yield* this.#rebuildAll(signal);
    } finally {
      this.#isRunning = false;
      this.#cleared = this.#cleared.then(() => this.#clear());
    }
  }

  /** Stops the removal; the next start continues it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    await this.#cleared;
  }

  async *#rebuildAll(signal: AbortSignal): AsyncGenerator<RebuildProgress> {
    const { keywords, vectors, cache } = this.#options;
    const memories = Number(this.#database.first("SELECT count(*) AS n FROM memory")?.["n"] ?? 0);
    const toPlace = vectors.rebuildCount();
    yield progress(0, memories + toPlace);
    let words = 0;
    for await (words of rebuildKeywordIndex(this.#database, keywords, signal)) {
      yield progress(words, Math.max(words, memories) + toPlace);
    }
    // The rebuilt table may hold terms that the old one had lost.
    keywords.tables.clear();
    let placed = 0;
    for await (placed of vectors.rebuild(signal)) {
      yield progress(words + placed, words + Math.max(placed, toPlace));
    }
    // The next lookup of each scope reads its vectors from the file.
    cache.dropVectors();
    yield progress(words + placed, words + placed);
  }

  async #clear(): Promise<void> {
    try {
      await removeRebuildTables(this.#database, () => this.#isClosed);
    } catch (error) {
      this.#options.log.warn(
        { err: error },
        "the tables of an interrupted index rebuild could not be removed; the next start tries again",
      );
    }
  }
}

function progress(indexedCount: number, totalCount: number): RebuildProgress {
  return { indexedCount, totalCount };
}

function shareWithout(missing: number, all: number): number {
  return all === 0 ? 1 : Math.max(0, 1 - missing / all);
}
