import type { Node } from "./kinds.ts";
import type { Values } from "./settings.ts";

type Chosen<K extends keyof Values> = NonNullable<Values[K]>;

/** Where a server listens. */
export interface Listen {
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
}

/** How the server is configured: frozen, typed, complete. Made by load.ts; every default is in settings.ts. */
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
  /** Of both servers. */
  readonly tls: {
    readonly certFile: string | undefined;
    readonly keyFile: string | undefined;
    readonly clientCaFile: string | undefined;
  };
  readonly backend: Chosen<"backend">;
  /** Where the choice of the backend came from, in words. */
  readonly backendReason: string;
  readonly dataDir: string;
  readonly redis: RedisConfig;
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
    /** Nobody said which provider, or anything that asks for one. */
    readonly byDefault: boolean;
    readonly model: string;
    readonly apiKey: string | undefined;
    readonly apiBase: string;
    readonly apiVersion: string | undefined;
    readonly encodingFormat: Chosen<"embeddingEncodingFormat">;
    readonly dimensions: Chosen<"embeddingDimensions">;
    /** 0 keeps none. */
    readonly cacheTtlMs: number;
    readonly batchSize: number;
    readonly maxRetries: number;
    readonly timeoutMs: number;
  };
  readonly cache: {
    readonly enabled: boolean;
    readonly strategy: Uppercase<Values["cacheStrategy"]>;
    /** Undefined: the default of the model (src/domain/cache/default-thresholds.ts). */
    readonly similarityThreshold: number | undefined;
    readonly alignedThreshold: number;
    readonly defaultTtlMs: number;
    readonly maxAgeMs: number;
    readonly maxEntries: number;
    readonly evictionPolicy: Uppercase<Values["cacheEvictionPolicy"]>;
    readonly adaptiveTtl: boolean;
    readonly lookupDeadlineMs: number;
  };
  readonly compaction: {
    /** Of the scheduler alone. */
    readonly enabled: boolean;
    readonly strategy: Uppercase<Values["compactionStrategy"]>;
    readonly level: Uppercase<Values["compactionLevel"]>;
    readonly checkIntervalMs: number;
    readonly llmModel: string | undefined;
    readonly keepRecentMs: number;
    readonly keepImportantMs: number;
    readonly minImportance: number;
    readonly maxAffectedFraction: number;
  };
  readonly limits: Limits;
  /** What an operator should know although nothing is wrong. */
  readonly warnings: readonly string[];
}

/** How Redis is reached, as an operator sets it; REDIS_URL has been taken apart. */
export interface RedisConnectionConfig extends Node {
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly topology: Values["redisTopology"];
  /** Of a cluster, or the Sentinels; empty: `host` and `port`. */
  readonly nodes: readonly Node[];
  /** What Sentinels call the primary. */
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

/** How Redis is reached, and what it holds. */
export interface RedisConfig extends RedisConnectionConfig {
  readonly db: number;
  readonly prefix: string;
  readonly poolSize: number;
  readonly compression: boolean;
  readonly partitions: number;
}

/** What callers may make the server do and hold. */
export interface Limits {
  /** A request or response message, in bytes; design: room for a batch of 8 MiB and its framing. */
  readonly maxMessageBytes: number;
  /** Streams that one connection may have open at once. */
  readonly maxConcurrentStreams: number;
  /** Calls in flight in the whole process, on both servers; the next one is refused. */
  readonly maxConcurrentCalls: number;
  /** Calls that stream in either direction, likewise. */
  readonly maxOpenStreams: number;
  /** Bytes of all requests that have not arrived whole, and of those of one connection. */
  readonly maxUnfinishedBytes: number;
  readonly maxUnfinishedBytesPerConnection: number;
  /** A request that does not stream must have arrived within this. */
  readonly requestReceiveMs: number;
  /** So must the next message of one that does. */
  readonly streamIdleMs: number;
  /** Pieces of heavy work, such as searches, that wait in the queue; the call of the next one is refused. */
  readonly maxWaitingWork: number;
  /** A gRPC connection without calls is closed after this. */
  readonly connectionIdleMs: number;
  /** An HTTP request must have sent its headers within this. */
  readonly httpHeadersMs: number;
  /** How long a stop waits for probes to notice before it drains. */
  readonly probePeriodMs: number;
  /** How long calls in flight may take after that. */
  readonly drainMs: number;
}

/** The defaults; settings/limits.ts says which of them an operator may change. */
export const LIMITS: Limits = {
  maxMessageBytes: 16 * 1024 * 1024,
  maxConcurrentStreams: 1000,
  maxConcurrentCalls: 1000,
  maxOpenStreams: 1000,
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

/** A cache lookup takes no longer; then it is a miss. */
export const LOOKUP_DEADLINE_MS = 800;
