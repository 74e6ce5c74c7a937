import type { Log } from "../../../ports/log.ts";
import { decodeVector } from "../database/checksums.ts";
import type { Database } from "../database/database.ts";
import type { VectorModel } from "./vector-model.ts";
import { VectorTable } from "./vector-table.ts";

/** Vectors kept in memory, all cache scopes together; beyond it the least recently used scope is dropped. */
const MAX_VECTORS = 200_000;

/**
 * The prompts' vectors of cache scopes, side by side in memory, read from disk when a scope is first asked for. A row
 * that is gone from the disk may still be here; who reads the entry notices and removes it.
 */
export class ScopeVectors {
  readonly #database: Database;
  readonly #model: VectorModel;
  readonly #log: Log;
  /** In the order of their last use, the latest last. */
  readonly #tables = new Map<string, VectorTable<undefined>>();

  constructor(database: Database, model: VectorModel, log: Log) {
    this.#database = database;
    this.#model = model;
    // Entries keep their vectors of the old model, which are read no more: those entries are found exactly.
    model.onChange(() => this.clear());
    this.#log = log;
  }

  get memoryBytes(): number {
    let bytes = 0;
    for (const table of this.#tables.values()) bytes += table.memoryBytes;
    return bytes;
  }

  /** What is needed again is read from the disk again. */
  clear(): void {
    this.#tables.clear();
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
   * After the entry is on disk; undefined: it has no vector any more. A scope that is not in memory is read when it
   * is asked for.
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
       WHERE e.namespace_id = ? AND e.fingerprint = ? AND e.vector IS NOT NULL AND u.generation = ?`,
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
        // Its entry is not found by meaning any more, and nothing else happens to it.
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
