import { openEmbeddedBackend } from "../adapters/embedded/backend.ts";
import type { Config } from "../config/config.ts";
import type { KeptSizes } from "../domain/disk-space.ts";
import type { ConfiguredModel } from "../domain/embedding/configured-model.ts";
import type { Backend } from "../ports/backend.ts";
import type { Disk } from "../ports/disk.ts";
import type { OperatorLog } from "../ports/log.ts";
import type { RedisMetrics, StoreMetrics } from "../ports/metrics.ts";
import { connectionOf } from "./redis-connection.ts";

/** Shorter records gain little. */
const COMPRESS_FROM = 1024;

/**
 * Measured at 16 calls at once, over 1, 2, 4 and 10 connections: no kind of call gained from more, and over 10 there were a
 * fifth to a third fewer answers by meaning a second. See docs/operations/redis.md.
 */
const ONE_CONNECTION =
  "all commands to a Redis server share one connection, whatever REDIS_POOL_SIZE allows: more were measured to be no faster";

/** Opens the backend that is configured. Rejects with STORE_UNAVAILABLE and the reason when it cannot be used. */
export async function openBackend(
  config: Config,
  parts: {
    /** Undefined: vector search is switched off. */
    readonly embedder: ConfiguredModel | undefined;
    readonly log: OperatorLog;
    readonly metrics: StoreMetrics & RedisMetrics;
    /** Where the embedded store lies; the operating system's, if it is not given. */
    readonly disk?: Disk | undefined;
    /** What is kept back of that for deletions; KEPT_SIZES, if it is not given. */
    readonly kept?: KeptSizes | undefined;
  },
): Promise<Backend> {
  if (config.backend === "embedded") return openEmbeddedBackend({ directory: config.dataDir, ...parts });
  parts.log.info({ connections: 1, pool_size: config.redis.poolSize }, ONE_CONNECTION);
  // Read only when it is chosen, for it takes a while.
  const { openRedisBackend } = await import("../adapters/redis/backend.ts");
  return openRedisBackend({ ...(await redisOptions(config)), ...parts });
}

/** What the configuration says of a Redis and what it holds. Rejects as connectionOf does. */
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
