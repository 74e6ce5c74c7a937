import { RecollectError } from "../../../domain/errors.ts";
import type { EmbeddedText } from "../../../ports/embedding/embedder.ts";
import type { CachedEmbedding, EmbeddingCache } from "../../../ports/embedding/embedding-cache.ts";
import type { Log } from "../../../ports/log.ts";
import { decodeVector, encodeVector } from "../database/checksums.ts";
import type { Database } from "../database/database.ts";

export interface EmbeddingCacheOptions {
  /** Maximum number of cached vectors. */
  readonly maxEntries: number;
  readonly log: Log;
}

/** Each write removes a few rows beyond the bound and a few expired ones, so that no write has to remove all. */
const SWEEP_LIMIT = 32;

/** The embedding cache in SQLite. Each row has a checksum; the oldest rows are evicted. */
export function createEmbeddingCache(database: Database, options: EmbeddingCacheOptions): EmbeddingCache {
  return {
    get: async (keys, now) => keys.map((key) => read(database, options.log, key, now)),
    put: async (entries, { now, expireTime }) => {
      if (entries.length === 0) return;
      // Not durable: a lost embedding can be computed again.
      await database.write(
        () => {
          for (const entry of entries) write(database, entry, expireTime);
          sweep(database, options.maxEntries, entries.length + SWEEP_LIMIT, now);
          return { result: undefined };
        },
        { durable: false },
      );
    },
  };
}

function read(database: Database, log: Log, key: string, now: number): EmbeddedText | undefined {
  const row = database.first(
    "SELECT truncated, vector FROM embedding_cache WHERE key = ? AND expire_time > ?",
    Buffer.from(key, "hex"),
    now,
  );
  if (row === undefined) return undefined;
  try {
    return { vector: decodeVector(row["vector"], "a cached embedding"), truncated: row["truncated"] !== 0 };
  } catch (error) {
    if (!(error instanceof RecollectError)) throw error;
    // The caller computes the embedding again, and its next write replaces the row.
    log.warn({ err: error }, "a cached embedding is damaged, and is computed again");
    return undefined;
  }
}

function write(database: Database, { key, embedded }: CachedEmbedding, expireTime: number): void {
  database.run(
    "INSERT OR REPLACE INTO embedding_cache (key, expire_time, truncated, vector) VALUES (?, ?, ?, ?)",
    Buffer.from(key, "hex"),
    expireTime,
    embedded.truncated ? 1 : 0,
    encodeVector(embedded.vector),
  );
}

/** The bound is on row numbers: the highest N row numbers are at most N rows, so nothing has to be counted. */
function sweep(database: Database, maxEntries: number, limit: number, now: number): void {
  database.run(
    "DELETE FROM embedding_cache WHERE row IN (SELECT row FROM embedding_cache " +
      "WHERE row <= (SELECT max(row) FROM embedding_cache) - ? ORDER BY row LIMIT ?)",
    maxEntries,
    limit,
  );
  database.run(
    "DELETE FROM embedding_cache WHERE row IN (SELECT row FROM embedding_cache WHERE expire_time <= ? LIMIT ?)",
    now,
    SWEEP_LIMIT,
  );
}
