import { requestIdReused } from "../../../domain/errors.ts";
import type { Json } from "../../../lib/json.ts";
import type { IdempotentRequest } from "../../../ports/idempotency.ts";
import type { Database } from "../database/database.ts";

/** Expired records are removed a few at each write. */
const SWEEP_LIMIT = 32;

/** The outcomes of earlier requests, by request_id. All methods only inside a write. */
export class IdempotencyRecords {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** The recorded outcome of this request; undefined when it is new. Throws REQUEST_ID_REUSED for another body. */
  replay(namespaceId: number, request: IdempotentRequest | undefined, now: number): Json | undefined {
    if (request === undefined) return undefined;
    const row = this.#database.first(
      "SELECT body_hash, outcome FROM request WHERE namespace_id = ? AND key = ? AND expire_time > ?",
      namespaceId,
      request.key,
      now,
    );
    if (row === undefined) return undefined;
    if (row["body_hash"] !== request.bodyHash) {
      throw requestIdReused();
    }
    return JSON.parse(String(row["outcome"])) as Json;
  }

  record(namespaceId: number, request: IdempotentRequest | undefined, outcome: Json, now: number): void {
    if (request === undefined) return;
    this.#database.run(
      "DELETE FROM request WHERE (namespace_id, key) IN " +
        "(SELECT namespace_id, key FROM request WHERE expire_time <= ? LIMIT ?)",
      now,
      SWEEP_LIMIT,
    );
    this.#database.run(
      "INSERT OR REPLACE INTO request (namespace_id, key, body_hash, outcome, expire_time) VALUES (?, ?, ?, ?, ?)",
      namespaceId,
      request.key,
      request.bodyHash,
      JSON.stringify(outcome),
      request.expireTime,
    );
  }
}
