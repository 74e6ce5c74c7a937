import { type Config, LIMITS, LOOKUP_DEADLINE_MS, type RedisConfig } from "./config.ts";
import type { Settled } from "./derive.ts";

const MIB = 1024 * 1024;
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** Assembles the Config from the values of the settings, converting units. */
// biome-ignore lint/complexity/noExcessiveLinesPerFunction: declares an object
export function assemble(
  values: Settled,
  {
    embedderByDefault,
    ...about
  }: Pick<Config, "backendReason" | "warnings"> & { readonly embedderByDefault: boolean },
): Config {
  return freeze({
    environment: values.environment,
    log: { level: values.logLevel, format: values.logFormat, file: values.logFile },
    grpc: { host: values.grpcHost, port: values.grpcPort },
    http: { host: values.httpHost, port: values.httpPort, corsOrigins: values.httpCorsOrigins },
    auth: {
      mode: values.authMode,
      allowUnauthenticated: values.allowUnauthenticated,
      apiKeysFile: values.authApiKeysFile,
    },
    tls: { certFile: values.tlsCertFile, keyFile: values.tlsKeyFile, clientCaFile: values.tlsClientCaFile },
    backend: values.backend,
    dataDir: values.dataDir,
    redis: redisOf(values),
    memory: {
      maxRevisions: values.maxRevisions,
      maxChanges: values.memoryMaxChanges,
      changeRetentionMs: values.memoryChangeRetention * 24 * HOUR,
    },
    vectorSearch: {
      enabled: values.vectorSearch,
      dimension: values.vectorDimension,
      indexName: values.vectorIndexName,
      cacheIndexName: values.cacheIndexName,
      metric: values.vectorMetric,
      algorithm: values.vectorAlgorithm,
      hnsw: {
        m: values.hnswM,
        efConstruction: values.hnswEfConstruction,
        efRuntime: values.hnswEfRuntime,
      },
    },
    embedding: {
      provider: values.embeddingProvider,
      byDefault: embedderByDefault,
      model: values.embeddingModel,
      apiKey: values.embeddingApiKey,
      apiBase: values.embeddingApiBase,
      apiVersion: values.embeddingApiVersion,
      encodingFormat: values.embeddingEncodingFormat,
      dimensions: values.embeddingDimensions,
      cacheTtlMs: values.embeddingCacheTtl * SECOND,
      batchSize: values.embeddingBatchSize,
      maxRetries: values.embeddingMaxRetries,
      timeoutMs: values.embeddingTimeout * SECOND,
    },
    writeGuards: {
      secrets: upper(values.memorySecrets),
      recallLoopMs: values.memoryRecallLoopMinutes * MINUTE,
    },
    cache: {
      enabled: values.cacheEnabled,
      strategy: upper(values.cacheStrategy),
      similarityThreshold: values.cacheSimilarityThreshold,
      alignedThreshold: values.cacheAlignedThreshold,
      guard: values.cacheGuard,
      defaultTtlMs: values.cacheDefaultTtl * SECOND,
      maxAgeMs: values.cacheMaxAge * SECOND,
      maxEntries: values.cacheMaxEntries,
      maxBytes: values.cacheMaxBytes,
      evictionPolicy: upper(values.cacheEvictionPolicy),
      adaptiveTtl: values.cacheAdaptiveTtl,
      lookupDeadlineMs: LOOKUP_DEADLINE_MS,
    },
    compaction: {
      enabled: values.compactionEnabled,
      strategy: upper(values.compactionStrategy),
      level: upper(values.compactionLevel),
      checkIntervalMs: values.compactionCheckInterval * HOUR,
      llm: {
        model: values.compactionLlmModel,
        apiKey: values.compactionLlmApiKey ?? values.embeddingApiKey,
        apiBase: values.compactionLlmApiBase,
        apiVersion: values.embeddingApiVersion,
      },
      keepRecentMs: values.compactionKeepRecent * HOUR,
      keepImportantMs: values.compactionKeepImportant * 24 * HOUR,
      minImportance: values.compactionMinImportance,
      maxAffectedFraction: values.compactionMaxAffected,
      maxChanges: values.compactionMaxChanges,
      undoMs: values.compactionUndoDays * 24 * HOUR,
      purgeAfterMs: values.compactionPurgeAfter * 24 * HOUR,
    },
    limits: {
      ...LIMITS,
      maxConcurrentCalls: values.maxConcurrentCalls,
      maxOpenStreams: values.maxOpenStreams,
      maxWatches: values.maxWatches,
      maxUnfinishedBytes: values.maxUnfinishedMib * MIB,
      maxUnfinishedBytesPerConnection: values.maxUnfinishedMibPerConnection * MIB,
      requestReceiveMs: values.requestReceiveTimeout * SECOND,
      streamIdleMs: values.streamIdleTimeout * SECOND,
    },
    ...about,
  });
}

function redisOf(values: Settled): RedisConfig {
  const url = values.redisUrl;
  return {
    host: url?.host ?? values.redisHost,
    port: url?.port ?? values.redisPort,
    db: url?.db ?? values.redisDb,
    username: url?.username ?? values.redisUsername,
    password: url?.password ?? values.redisPassword,
    prefix: values.redisPrefix,
    poolSize: values.redisPoolSize,
    compression: values.redisCompression,
    topology: values.redisTopology,
    nodes: values.redisNodes,
    sentinelName: values.redisSentinelName,
    sentinelUsername: values.redisSentinelUsername,
    sentinelPassword: values.redisSentinelPassword,
    tls: {
      enabled: values.redisTls || url?.tls === true,
      caFile: values.redisTlsCaFile,
      certFile: values.redisTlsCertFile,
      keyFile: values.redisTlsKeyFile,
    },
    partitions: values.redisPartitions,
    socketTimeoutMs: values.redisSocketTimeout * SECOND,
    connectTimeoutMs: values.redisConnectTimeout * SECOND,
    retryOnTimeout: values.redisRetryOnTimeout,
    waitReplicas: values.redisWaitReplicas,
  };
}

function upper<T extends string>(value: T): Uppercase<T> {
  return value.toUpperCase() as Uppercase<T>;
}

function freeze<T extends object>(value: T): T {
  for (const child of Object.values(value)) {
    if (child !== null && typeof child === "object") freeze(child);
  }
  return Object.freeze(value);
}
