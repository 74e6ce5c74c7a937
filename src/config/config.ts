import type { Values } from "./settings.ts";

/** Where a door listens. */
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
  readonly auth: { readonly mode: Values["authMode"]; readonly allowUnauthenticated: boolean };
  readonly backend: Values["backend"];
  readonly dataDir: string;
  readonly vectorSearch: { readonly enabled: boolean; readonly dimension: number };
  readonly embedding: {
    readonly provider: Values["embeddingProvider"];
    readonly model: string;
    /** Empty: none. */
    readonly apiKey: string;
    readonly apiBase: string;
    readonly cacheTtlMs: number;
    readonly batchSize: number;
    readonly maxRetries: number;
    readonly timeoutMs: number;
  };
  readonly cache: {
    readonly enabled: boolean;
    readonly strategy: "HYBRID" | "EXACT" | "SEMANTIC";
    readonly similarityThreshold: number;
    readonly alignedThreshold: number;
    readonly defaultTtlMs: number;
    readonly maxEntries: number;
    readonly lookupDeadlineMs: number;
  };
  readonly limits: Limits;
}

/** Limits that no variable sets. */
export interface Limits {
  /** A request or response message, in bytes; design: room for a batch of 8 MiB and its framing. */
  readonly maxMessageBytes: number;
  /** Streams that one connection may have open at once. */
  readonly maxConcurrentStreams: number;
  /** Calls in flight in the whole process, through both doors; the next one is refused. */
  readonly maxConcurrentCalls: number;
  /** A gRPC connection without calls is closed after this. */
  readonly connectionIdleMs: number;
  /** An HTTP request must have sent its headers within this, and all of itself within `httpRequestMs`. */
  readonly httpHeadersMs: number;
  readonly httpRequestMs: number;
  /** How long a stop waits for probes to notice before it drains. */
  readonly probePeriodMs: number;
  /** How long calls in flight may take after that. */
  readonly drainMs: number;
}

export const LIMITS: Limits = {
  maxMessageBytes: 16 * 1024 * 1024,
  maxConcurrentStreams: 1000,
  maxConcurrentCalls: 1000,
  connectionIdleMs: 15 * 60_000,
  httpHeadersMs: 10_000,
  httpRequestMs: 60_000,
  probePeriodMs: 1000,
  drainMs: 10_000,
};

/** How often embedding for a write is tried again, and how long it may take in all. */
export const EMBEDDING_MAX_RETRIES = 3;
export const EMBEDDING_TIMEOUT_MS = 30_000;

/** A cache lookup takes no longer; then it is a miss. */
export const LOOKUP_DEADLINE_MS = 800;
