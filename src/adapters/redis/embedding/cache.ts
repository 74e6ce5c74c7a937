import { vectorFromBytes, vectorToBytes } from "../../../domain/embedding/vector.ts";
import type { EmbeddedText } from "../../../ports/embedding/embedder.ts";
import type { CachedEmbedding, EmbeddingCache } from "../../../ports/embedding/embedding-cache.ts";
import type { RedisClient } from "../connection/client.ts";
import { bytesOf, listOf } from "../connection/replies.ts";
import { defineScript, list, rows } from "../connection/script.ts";
import type { Keys } from "../namespaces/keys.ts";

export interface EmbeddingCacheOptions {
  /** Maximum number of cached vectors, divided over the partitions. */
  readonly maxEntries: number;
}

const PUT = defineScript({
  file: new URL("./put-embeddings.lua", import.meta.url),
  effect: "writes",
  keys: ["embeddingOrder", list("entryKeys")],
  arguments: ["embeddingPrefix", "maxEntries", "now", "expireTime", rows("entries", ["id", "value"])],
  reply: () => undefined,
});

/** The version of the format; an embedding of another version counts as absent. */
const VERSION = 1;
const TRUNCATED = 1;
/** Version, flags, two unused bytes, and the expire time as a double; the vector follows. */
const HEADER_BYTES = 12;

/**
 * The embedding cache in Redis, distributed over the partitions by key. Those of one partition are written atomically.
 * They do not hold their model: the key is a digest that includes it.
 */
export function createEmbeddingCache(
  client: RedisClient,
  keys: Keys,
  { maxEntries }: EmbeddingCacheOptions,
): EmbeddingCache {
  const share = Math.max(1, Math.floor(maxEntries / keys.partitions));
  return {
    get: async (requestedKeys, now) => {
      const found = new Map<string, EmbeddedText>();
      await Promise.all(
        [...byPartition(keys, requestedKeys, (key) => key)].map(async ([number, own]) => {
          const partition = keys.partition(number);
          const values = listOf(await client.command("MGET", ...own.map((key) => partition.embedding(key))));
          for (const [index, key] of own.entries()) {
            const embedded = unpack(bytesOf(values[index]), now);
            if (embedded !== undefined) found.set(key, embedded);
          }
        }),
      );
      return requestedKeys.map((key) => found.get(key));
    },

    put: async (entries, { now, expireTime }) => {
      await Promise.all(
        [...byPartition(keys, entries, ({ key }) => key)].map(async ([number, own]) => {
          const partition = keys.partition(number);
          await client.run(PUT, {
            embeddingOrder: partition.embeddingOrder,
            entryKeys: own.map(({ key }) => partition.embedding(key)),
            embeddingPrefix: partition.embeddings,
            ...{ maxEntries: share, now, expireTime },
            entries: own.map(({ key, embedded }) => ({ id: key, value: pack(embedded, expireTime) })),
          });
        }),
      );
    },
  };
}

function byPartition<One>(
  keys: Keys,
  all: readonly One[],
  keyOf: (one: One) => string,
): ReadonlyMap<number, readonly One[]> {
  return Map.groupBy(all, (one) => keys.partitionOfEmbedding(keyOf(one)));
}

function pack({ vector, truncated }: CachedEmbedding["embedded"], expireTime: number): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES + vector.byteLength);
  bytes.writeUInt8(VERSION, 0);
  bytes.writeUInt8(truncated ? TRUNCATED : 0, 1);
  bytes.writeDoubleLE(expireTime, 4);
  bytes.set(vectorToBytes(vector), HEADER_BYTES);
  return bytes;
}

/** Undefined for an embedding that is absent, has expired, or was written by another version. */
function unpack(bytes: Buffer | undefined, now: number): EmbeddedText | undefined {
  if (bytes === undefined || bytes.length < HEADER_BYTES || bytes.readUInt8(0) !== VERSION) return undefined;
  if (bytes.readDoubleLE(4) <= now || bytes.length % Float32Array.BYTES_PER_ELEMENT !== 0) return undefined;
  return {
    vector: vectorFromBytes(bytes.subarray(HEADER_BYTES)),
    truncated: (bytes.readUInt8(1) & TRUNCATED) !== 0,
  };
}
