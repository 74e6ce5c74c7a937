import type { BreakerState } from "../domain/embedding/breaker.ts";
import type { BacklogState } from "./embedding/backlog.ts";
import type { Urgency } from "./embedding/embedder.ts";
import type { WorkKind } from "./work-queue.ts";

/** What use cases count. One method an event, never throwing; attributes have few values. */
export interface Meters {
  cacheLookup(outcome: "exact" | "semantic" | "miss", detail: string): void;
  vectorSearch(milliseconds: number): void;
}

/** What shows of a server that has more work than it can do; by the same rules. */
export interface LoadMeter {
  /** Work was dropped before it was started: its caller had gone, or its deadline had passed. */
  workDropped(kind: WorkKind): void;
  /** Calls `read` whenever somebody looks, until the returned function is called. */
  observeLoad(read: () => Load): () => void;
}

export interface Load {
  /** Pieces of heavy work that wait for their turn. */
  readonly waiting: number;
  readonly eventLoopDelayMs: number;
}

/** What storing an answer counts; by the same rules. */
export interface EvictionMeter {
  /** Answers that could have been served, taken away for another. */
  cacheEvicted(count: number): void;
}

/** What a store counts of itself; by the same rules. */
export interface StoreMeter {
  /** So many parts of the stored data are known to be damaged now. */
  storeDamaged(parts: number): void;
  /** Damaged parts that have been made again from what is whole. */
  storeRepaired(parts: number): void;
  /** Asks for the space on its disk whenever somebody looks, until the returned function is called. */
  observeStoreDisk(read: () => StoreDisk): () => void;
}

/** The disk of a store that has one, in bytes. */
export interface StoreDisk {
  /** Undefined when the disk does not say. */
  readonly freeBytes: number | undefined;
  /** Kept back for deletions. */
  readonly keptBytes: number;
}

/** What shows of a Redis that keeps the data; by the same rules. */
export interface RedisMeter {
  /** In so many ways it is set up to lose what was acknowledged. */
  storeRisks(count: number): void;
  /** A record long enough to be compressed is about to be stored; equal numbers where it got no shorter. */
  recordPacked(plainBytes: number, storedBytes: number): void;
  /** Asks for the bytes of memory that it uses whenever somebody looks, until the returned function is called. */
  observeStoreMemory(read: () => Promise<number>): () => void;
}

/** What is known of who may call; by the same rules. */
export interface AuthenticationMeter {
  /** So many API keys hold now. */
  apiKeys(count: number): void;
  /** Whether the file of keys is wrong as it is now, so that older ones hold. */
  apiKeysRefused(refused: boolean): void;
  /** Whether everyone who reaches the server may call it, because AUTH_MODE=none and ALLOW_UNAUTHENTICATED=true. */
  openToEveryone(open: boolean): void;
}

/** What is known of the server's certificate; by the same rules. */
export interface TlsMeter {
  /** When the certificate that is shown ends, in seconds since 1970. */
  tlsCertificateExpires(seconds: number): void;
  /** Whether the files are wrong as they are now, so that older ones hold. */
  tlsFilesRefused(refused: boolean): void;
}

/** What shows of the memories that wait for a vector. */
export interface BacklogMeter {
  /** Asks `read`, and `now` for the time, whenever somebody looks, until the returned function is called. */
  observeBacklog(read: () => Promise<BacklogState>, now: () => number): () => void;
}

/** What embedding through a provider counts; by the same rules. */
export interface EmbeddingMeters {
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
