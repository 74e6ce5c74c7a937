import type { CacheEntry } from "../../domain/cache/entry.ts";
import type { Neighbour } from "../../domain/cache/matching.ts";
import type { JsonObject } from "../../domain/json.ts";
import type { Scope } from "../../domain/tenancy.ts";
import { clampSimilarity, dot, vectorFromBytes, vectorToBytes } from "../../domain/vector.ts";
import type { CacheStore } from "../../ports/cache-store.ts";
import type { IdempotentRequest } from "../../ports/idempotency.ts";
import type { Database, Row } from "./database.ts";
import type { Namespaces } from "./namespaces.ts";
import type { Requests } from "./requests.ts";

/** Expired entries are removed a few at each write, so that no write pays for all of them. */
const SWEEP_LIMIT = 32;

/** Cached answers in SQLite; the prompts of one scope are compared exactly. */
export class EmbeddedCacheStore implements CacheStore {
  readonly #database: Database;
  readonly #namespaces: Namespaces;
  readonly #requests: Requests;

  constructor(database: Database, namespaces: Namespaces, requests: Requests) {
    this.#database = database;
    this.#namespaces = namespaces;
    this.#requests = requests;
  }

  async find(scope: Scope, id: string, now: number): Promise<CacheEntry | undefined> {
    const namespaceId = this.#namespaces.find(scope);
    if (namespaceId === undefined) return undefined;
    const row = this.#database.first(
      "SELECT record FROM cache_entry WHERE namespace_id = ? AND id = ? AND expire_time > ?",
      namespaceId,
      id,
      now,
    );
    return row === undefined ? undefined : entryOf(row);
  }

  async nearest(
    scope: Scope,
    query: { readonly fingerprint: string; readonly vector: Float32Array; readonly limit: number },
    now: number,
  ): Promise<Neighbour[]> {
    const namespaceId = this.#namespaces.find(scope);
    if (namespaceId === undefined) return [];
    const rows = this.#database.all(
      `SELECT row, vector FROM cache_entry
       WHERE namespace_id = ? AND fingerprint = ? AND expire_time > ? AND vector IS NOT NULL`,
      namespaceId,
      query.fingerprint,
      now,
    );
    return rows
      .map((row) => ({
        row: Number(row["row"]),
        similarity: dot(query.vector, vectorFromBytes(row["vector"] as Uint8Array)),
      }))
      .sort((a, b) => b.similarity - a.similarity || a.row - b.row)
      .slice(0, query.limit)
      .flatMap(({ row, similarity }) => {
        const found = this.#database.first("SELECT record FROM cache_entry WHERE row = ?", row);
        return found === undefined
          ? []
          : [{ entry: entryOf(found), similarity: clampSimilarity(similarity) }];
      });
  }

  put(
    scope: Scope,
    entry: CacheEntry,
    options: { readonly vector?: Float32Array; readonly now: number; readonly request?: IdempotentRequest },
  ): Promise<{ readonly replaced: boolean }> {
    const { vector, now, request } = options;
    return this.#database.write(() => {
      const namespaceId = this.#namespaces.findOrCreate(scope);
      const recorded = this.#requests.recall(namespaceId, request, now);
      if (recorded !== undefined)
        return { result: { replaced: (recorded as JsonObject)["replaced"] === true } };
      this.#database.run(
        "DELETE FROM cache_entry WHERE row IN (SELECT row FROM cache_entry WHERE expire_time <= ? LIMIT ?)",
        now,
        SWEEP_LIMIT,
      );
      const replaced =
        this.#database.first(
          "SELECT 1 FROM cache_entry WHERE namespace_id = ? AND id = ? AND expire_time > ?",
          namespaceId,
          entry.id,
          now,
        ) !== undefined;
      this.#database.run(
        `INSERT INTO cache_entry (namespace_id, id, fingerprint, record, create_time, expire_time, vector)
         VALUES (?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (namespace_id, id) DO UPDATE SET fingerprint = excluded.fingerprint, record = excluded.record,
           create_time = excluded.create_time, expire_time = excluded.expire_time, vector = excluded.vector`,
        namespaceId,
        entry.id,
        entry.fingerprint,
        JSON.stringify(entry),
        entry.createTime,
        entry.expireTime,
        vector === undefined ? null : vectorToBytes(vector),
      );
      this.#requests.record(namespaceId, request, { replaced }, now);
      return { result: { replaced } };
    });
  }
}

function entryOf(row: Row): CacheEntry {
  return JSON.parse(String(row["record"])) as CacheEntry;
}
