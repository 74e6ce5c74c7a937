import { openEmbeddedBackend } from "../adapters/embedded/backend.ts";
import type { Config } from "../config/config.ts";
import type { ReservedSizes } from "../domain/disk-space.ts";
import type { ConfiguredModel } from "../domain/embedding/configured-model.ts";
import type { Backend } from "../ports/backend.ts";
import type { Disk } from "../ports/disk.ts";
import type { OperatorLog } from "../ports/log.ts";
import type { RedisMetrics, StoreMetrics } from "../ports/metrics.ts";
import { connectionOf } from "./redis-connection.ts";

/** Shorter records gain little. */
const COMPRESS_FROM = 1024;

/**
 * Measured with 16 concurrent calls on 1, 2, 4 and 10 connections: no kind of call became faster, and with 10 the
 * throughput of semantic lookups was a fifth to a third lower. See docs/operations/redis.md.
 */
const ONE_CONNECTION =
  "all commands to a Redis server share one connection, independent of REDIS_POOL_SIZE: more were not faster";

/** Opens the configured backend. Rejects with STORE_UNAVAILABLE and the reason when it cannot be used. */
export async function openBackend(
  config: Config,
  parts: {
    /** Undefined: vector search is switched off. */
    readonly embedder: ConfiguredModel | undefined;
    readonly log: OperatorLog;
    readonly metrics: StoreMetrics & RedisMetrics;
    /** The disk of the embedded store; default: that of the operating system. */
    readonly disk?: Disk | undefined;
    /** Disk space reserved for deletions; default RESERVED_SIZES. */
    readonly reserved?: ReservedSizes | undefined;
  },
): Promise<Backend> {
  const { maxRevisions, maxChanges, changeRetentionMs } = config.memory;
  const common = { ...parts, maxRevisions, feedLimits: { maxChanges, retentionMs: changeRetentionMs } };
  if (config.backend === "embedded") return openEmbeddedBackend({ directory: config.dataDir, ...common });
  parts.log.info({ connections: 1, pool_size: config.redis.poolSize }, ONE_CONNECTION);
  // Imported only when it is used, because that is slow.
  const { openRedisBackend } = await import("../adapters/redis/backend.ts");
  return openRedisBackend({ ...(await redisOptions(config)), ...common });
}

/** The options of the Redis backend. Rejects as connectionOf does. */
export async function redisOptions(config: Config) {
  const { indexName, cacheIndexName, algorithm, hnsw } = config.vectorSearch;
  return {
    connection: await connectionOf(config.redis),
    prefix: config.redis.prefix,
    partitions: config.redis.partitions,
    indexes: { memories: indexName, cache: cacheIndexName },
    vectors: { algorithm, hnsw },
    compressFrom: config.redis.compression ? COMPRESS_FROM : undefined,
  };
}
