import type { Node } from "./kinds.ts";
import type { Values } from "./settings.ts";

type Chosen<K extends keyof Values> = NonNullable<Values[K]>;

/** The address that a server listens on. */
export interface Listen {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
}

/** The server configuration: frozen, typed, complete. Made by load.ts; every default is in settings.ts. */
export interface Config {
  readonly environment: string;
  readonly log: {
    readonly level: Values["logLevel"];
    readonly format: "json" | "text";
    readonly file: string | undefined;
  };
  readonly grpc: Listen;
  readonly http: Listen & { readonly corsOrigins: readonly string[] };
  readonly auth: {
    readonly mode: Values["authMode"];
    readonly allowUnauthenticated: boolean;
    readonly apiKeysFile: string | undefined;
  };
  /** TLS of both servers. */
  readonly tls: {
    readonly certFile: string | undefined;
    readonly keyFile: string | undefined;
    readonly clientCaFile: string | undefined;
  };
  readonly backend: Chosen<"backend">;
  /** The reason for the chosen backend, for logs. */
  readonly backendReason: string;
  readonly dataDir: string;
  readonly redis: RedisConfig;
  readonly memory: {
    /** How much of a change feed is kept. */
    readonly maxChanges: number;
    readonly changeRetentionMs: number;
    /** How many revisions of a memory are kept. */
    readonly maxRevisions: number;
  };
  readonly vectorSearch: {
    readonly enabled: boolean;
    readonly dimension: number;
    readonly indexName: string;
    readonly cacheIndexName: string;
    readonly metric: "COSINE";
    readonly algorithm: "HNSW" | "FLAT";
    readonly hnsw: { readonly m: number; readonly efConstruction: number; readonly efRuntime: number };
  };
  readonly embedding: {
    readonly provider: Chosen<"embeddingProvider">;
    /** No setting selects a provider. */
    readonly byDefault: boolean;
    readonly model: string;
    readonly apiKey: string | undefined;
    readonly apiBase: string;
    readonly apiVersion: string | undefined;
    readonly encodingFormat: Chosen<"embeddingEncodingFormat">;
    readonly dimensions: Chosen<"embeddingDimensions">;
    /** 0: none. */
    readonly cacheTtlMs: number;
    readonly batchSize: number;
    readonly maxRetries: number;
    readonly timeoutMs: number;
  };
  /** What writes of memories do: see domain/memory/write-guard.ts. */
  readonly writeGuards: {
    readonly secrets: Uppercase<Values["memorySecrets"]>;
    /** 0: off. */
    readonly recallLoopMs: number;
  };
  readonly cache: {
    readonly enabled: boolean;
    readonly strategy: Uppercase<Values["cacheStrategy"]>;
    /** Undefined: the default of the model (src/domain/cache/default-thresholds.ts). */
    readonly similarityThreshold: number | undefined;
    readonly alignedThreshold: number;
    readonly guard: Values["cacheGuard"];
    readonly defaultTtlMs: number;
    readonly maxAgeMs: number;
    readonly maxEntries: number;
    readonly maxBytes: number | undefined;
    readonly evictionPolicy: Uppercase<Values["cacheEvictionPolicy"]>;
    readonly adaptiveTtl: boolean;
    readonly lookupDeadlineMs: number;
  };
  readonly compaction: {
    /** Whether the scheduler runs. */
    readonly enabled: boolean;
    readonly strategy: Uppercase<Values["compactionStrategy"]>;
    readonly level: Uppercase<Chosen<"compactionLevel">>;
    readonly checkIntervalMs: number;
    /** The language model of summaries; without a name there is none. */
    readonly llm: {
      readonly model: string | undefined;
      readonly apiKey: string | undefined;
      readonly apiBase: string;
      readonly apiVersion: string | undefined;
    };
    readonly keepRecentMs: number;
    readonly keepImportantMs: number;
    readonly minImportance: number;
    readonly maxAffectedFraction: number;
    readonly maxChanges: number;
    readonly undoMs: number;
    /** 0: never. */
    readonly purgeAfterMs: number;
  };
  readonly limits: Limits;
  /** Warnings of a valid configuration. */
  readonly warnings: readonly string[];
}

/** The connection to Redis; REDIS_URL is already split into its parts. */
export interface RedisConnectionConfig extends Node {
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly topology: Values["redisTopology"];
  /** Nodes of a cluster, or the Sentinels; empty: `host` and `port`. */
  readonly nodes: readonly Node[];
  /** Name of the primary in Sentinel. */
  readonly sentinelName: string | undefined;
  readonly sentinelUsername: string | undefined;
  readonly sentinelPassword: string | undefined;
  readonly tls: {
    readonly enabled: boolean;
    readonly caFile: string | undefined;
    readonly certFile: string | undefined;
    readonly keyFile: string | undefined;
  };
  readonly socketTimeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly retryOnTimeout: boolean;
  readonly waitReplicas: number;
}

/** Connection, keys and indexes of Redis. */
export interface RedisConfig extends RedisConnectionConfig {
  readonly db: number;
  readonly prefix: string;
  readonly poolSize: number;
  readonly compression: boolean;
  readonly partitions: number;
}

/** Resource limits. */
export interface Limits {
  /** A request or response message, in bytes; design: room for a batch of 8 MiB and its framing. */
  readonly maxMessageBytes: number;
  /** Streams that one connection may have open at once. */
  readonly maxConcurrentStreams: number;
  /** Calls in flight in the whole process, on both servers; the next one is refused. */
  readonly maxConcurrentCalls: number;
  /** Limit of calls that stream in either direction. */
  readonly maxOpenStreams: number;
  /** Watches of one tenant. */
  readonly maxWatches: number;
  /** Bytes of all incomplete requests, and of those of one connection. */
  readonly maxUnfinishedBytes: number;
  readonly maxUnfinishedBytesPerConnection: number;
  /** Maximum receive time of a unary request. */
  readonly requestReceiveMs: number;
  /** Maximum wait for the next message of a request stream. */
  readonly streamIdleMs: number;
  /** Queued units of heavy work, such as searches; the call of the next one is refused. */
  readonly maxWaitingWork: number;
  /** Idle timeout of a gRPC connection without calls. */
  readonly connectionIdleMs: number;
  /** Maximum receive time of the headers of an HTTP request. */
  readonly httpHeadersMs: number;
  /** Delay between NOT_SERVING and the drain, for probes. */
  readonly probePeriodMs: number;
  /** Maximum time of calls in flight during the drain. */
  readonly drainMs: number;
}

/** The defaults; settings/limits.ts declares those that can be set. */
export const LIMITS: Limits = {
  maxMessageBytes: 16 * 1024 * 1024,
  maxConcurrentStreams: 1000,
  maxConcurrentCalls: 1000,
  maxOpenStreams: 1000,
  maxWatches: 100,
  maxUnfinishedBytes: 256 * 1024 * 1024,
  maxUnfinishedBytesPerConnection: 32 * 1024 * 1024,
  requestReceiveMs: 30_000,
  streamIdleMs: 60_000,
  maxWaitingWork: 1000,
  connectionIdleMs: 15 * 60_000,
  httpHeadersMs: 10_000,
  probePeriodMs: 1000,
  drainMs: 10_000,
};

/** Deadline of a cache lookup, after which it is a miss. */
export const LOOKUP_DEADLINE_MS = 800;
