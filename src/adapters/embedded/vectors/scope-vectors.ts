import type { Log } from "../../../ports/log.ts";
import type { CacheInvalidations } from "../database/cache-invalidations.ts";
import { decodeVector } from "../database/checksums.ts";
import type { Database } from "../database/database.ts";
import type { VectorModel } from "./vector-model.ts";
import { VectorTable } from "./vector-table.ts";

/** Vectors cached in memory over all cache scopes; beyond that, the least recently used scope is evicted. */
const MAX_VECTORS = 200_000;

/**
 * The prompts' vectors of each cache scope as a table in memory, read from disk at the first lookup of the scope. A
 * table may still hold rows that were deleted on disk; the reader of the entry removes those.
 */
export class ScopeVectors {
  readonly #database: Database;
  readonly #invalidations: CacheInvalidations;
  readonly #model: VectorModel;
  readonly #log: Log;
  /** In order of last use, the most recent last. */
  readonly #tables = new Map<string, VectorTable<undefined>>();

  constructor(database: Database, invalidations: CacheInvalidations, model: VectorModel, log: Log) {
    this.#database = database;
    this.#invalidations = invalidations;
    this.#model = model;
    // Stored vectors of the old model are not read any more: their entries are found by exact match only.
    model.onChange(() => this.clear());
    this.#log = log;
  }

  get memoryBytes(): number {
    let bytes = 0;
    for (const table of this.#tables.values()) bytes += table.memoryBytes;
    return bytes;
  }

  /** Drops all tables; the next lookup of each scope reads its table from disk. */
  clear(): void {
    this.#tables.clear();
  }

  /** Drops the tables of a namespace: some of its entries were invalidated. */
  drop(namespaceId: number): void {
    for (const key of this.#tables.keys()) {
      if (key.startsWith(keyOf(namespaceId, ""))) this.#tables.delete(key);
    }
  }

  open(namespaceId: number, fingerprint: string): VectorTable<undefined> {
    const key = keyOf(namespaceId, fingerprint);
    const table = this.#tables.get(key) ?? this.#load(namespaceId, fingerprint);
    this.#tables.delete(key);
    this.#tables.set(key, table);
    this.#makeRoom();
    return table;
  }

  /**
   * Call after the entry is on disk. `vector` undefined: the entry has no vector any more. Does nothing for a scope
   * that is not in memory.
   */
  put(
    namespaceId: number,
    fingerprint: string,
    row: number,
    vector: Float32Array | undefined,
    expireTime: number,
  ): void {
    const table = this.#tables.get(keyOf(namespaceId, fingerprint));
    if (vector === undefined) table?.remove(row);
    else table?.put(row, vector, { isDefault: true, expireTime, fields: undefined });
  }

  #load(namespaceId: number, fingerprint: string): VectorTable<undefined> {
    const table = new VectorTable<undefined>();
    const rows = this.#database.all(
      `SELECT e.row, e.expire_time, e.vector FROM cache_entry e JOIN cache_entry_use u ON u.row = e.row
       WHERE e.namespace_id = ? AND e.fingerprint = ? AND e.vector IS NOT NULL AND u.generation = ?
       ${this.#invalidations.andValid(namespaceId)}`,
      namespaceId,
      fingerprint,
      this.#model.generation,
    );
    for (const row of rows) {
      try {
        const vector = decodeVector(row["vector"], "the vector of a cache entry");
        table.put(Number(row["row"]), vector, {
          isDefault: true,
          expireTime: Number(row["expire_time"]),
          fields: undefined,
        });
      } catch (error) {
        // The entry is still found by exact match.
        this.#log.warn({ err: error, row: row["row"] }, "a cached prompt's vector is damaged");
      }
    }
    return table;
  }

  #makeRoom(): void {
    let vectors = 0;
    for (const table of this.#tables.values()) vectors += table.size;
    for (const [key, table] of this.#tables) {
      if (vectors <= MAX_VECTORS || this.#tables.size === 1) return;
      vectors -= table.size;
      this.#tables.delete(key);
    }
  }
}

function keyOf(namespaceId: number, fingerprint: string): string {
  return `${namespaceId}:${fingerprint}`;
}
