import type { BreakerState } from "../domain/embedding/breaker.ts";
import type { BacklogState } from "./embedding/backlog.ts";
import type { Urgency } from "./embedding/embedder.ts";
import type { WorkKind } from "./work-queue.ts";

/** Metrics of use cases. One method for each event; it never throws, and its attributes have few values. */
export interface Metrics {
  cacheLookup(outcome: "exact" | "semantic" | "miss", detail: string): void;
  vectorSearch(milliseconds: number): void;
}

/** Metrics of an overloaded server; by the same rules. */
export interface LoadMetrics {
  /** Work was dropped before it was started: its caller had cancelled, or its deadline had passed. */
  workDropped(kind: WorkKind): void;
  /** Calls `read` whenever metrics are read, until the returned function is called. */
  observeLoad(read: () => Load): () => void;
}

export interface Load {
  /** Pieces of heavy work in the queue. */
  readonly waiting: number;
  readonly eventLoopDelayMs: number;
}

/** Metrics of storing an answer; by the same rules. */
export interface EvictionMetrics {
  /** Unexpired entries were evicted for another. */
  cacheEvicted(count: number): void;
}

/** Metrics of a store; by the same rules. */
export interface StoreMetrics {
  /** So many parts of the stored data are known to be damaged now. */
  storeDamaged(parts: number): void;
  /** Damaged parts that have been rebuilt. */
  storeRepaired(parts: number): void;
  /** Asks for the space on its disk whenever metrics are read, until the returned function is called. */
  observeStoreDisk(read: () => StoreDisk): () => void;
}

/** The disk of a store that has one, in bytes. */
export interface StoreDisk {
  /** Undefined when the disk does not say. */
  readonly freeBytes: number | undefined;
  /** Reserved for deletions. */
  readonly reservedBytes: number;
}

/** Metrics of Redis as the store; by the same rules. */
export interface RedisMetrics {
  /** How many of its settings may lose acknowledged writes. */
  storeRisks(count: number): void;
  /** A record long enough to be compressed is about to be stored; equal numbers where it got no shorter. */
  recordPacked(plainBytes: number, storedBytes: number): void;
  /** Asks for the bytes of memory that it uses whenever metrics are read, until the returned function is called. */
  observeStoreMemory(read: () => Promise<number>): () => void;
}

/** Metrics of authentication; by the same rules. */
export interface AuthenticationMetrics {
  /** How many API keys are accepted now. */
  apiKeys(count: number): void;
  /** Whether the file of keys is invalid now, so that the keys read before are still used. */
  apiKeysRefused(refused: boolean): void;
  /** Whether everyone who reaches the server may call it, because AUTH_MODE=none and ALLOW_UNAUTHENTICATED=true. */
  openToEveryone(open: boolean): void;
}

/** Metrics of the server's certificate; by the same rules. */
export interface TlsMetrics {
  /** When the certificate in use expires, in seconds since the epoch. */
  tlsCertificateExpires(seconds: number): void;
  /** Whether the files are invalid now, so that the certificate read before is still used. */
  tlsFilesRefused(refused: boolean): void;
}

/** Metrics of the pending memories; by the same rules. */
export interface BacklogMetrics {
  /** Calls `read`, and `now` for the time, whenever metrics are read, until the returned function is called. */
  observeBacklog(read: () => Promise<BacklogState>, now: () => number): () => void;
}

/** Metrics of an embedding provider; by the same rules. */
export interface EmbeddingMetrics {
  /** A request to the provider ended: `ok`, or the kind of its failure in lower case. */
  embeddingRequest(outcome: string, texts: number, milliseconds: number): void;
  /** What the provider charges for, by its own count. */
  embeddingTokens(count: number): void;
  /** A request is about to be made again because of this. */
  embeddingRetry(cause: string): void;
  /** Texts whose vector was in memory, in the store, or nowhere. */
  embeddingCache(outcome: "memory" | "store" | "miss", texts: number): void;
  embeddingBreaker(urgency: Urgency, state: BreakerState): void;
}
