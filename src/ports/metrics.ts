import type { CacheUsage } from "../domain/cache/entry.ts";
import type { CompactionReason } from "../domain/compaction/run.ts";
import type { BreakerState } from "../domain/embedding/breaker.ts";
import type { SecretsAction } from "../domain/memory/write-guard.ts";
import type { Urgency } from "./embedding/embedder.ts";
import type { PendingState } from "./embedding/pending-memory-queue.ts";
import type { WorkKind } from "./work-queue.ts";

/** Metrics of use cases. One method for each event. Methods never throw; attributes have low cardinality. */
export interface Metrics {
  cacheLookup(outcome: "exact" | "semantic" | "miss", detail: string): void;
  /** The guard refused the nearest entry of a lookup, for this reason among others. */
  cacheGuardRefused(reason: string): void;
  /** An answer was served that cost this to generate. */
  cacheSaved(usage: CacheUsage): void;
  vectorSearch(milliseconds: number): void;
}

/** Metrics of write guards; by the same rules. */
export interface WriteGuardMetrics {
  /** A guard has applied its action to a memory that was to be written. */
  writeGuard(guard: "secrets" | "recall_loop", action: WriteGuardAction): void;
}

export type WriteGuardAction = Exclude<SecretsAction, "OFF"> | "RETURN_EXISTING";

/** Metrics of an overloaded server; by the same rules. */
export interface LoadMetrics {
  /** Work was dropped before its start: the call was cancelled, or its deadline had passed. */
  workDropped(kind: WorkKind): void;
  /** Calls `read` whenever metrics are read, until the returned function is called. */
  observeLoad(read: () => Load): () => void;
}

export interface Load {
  /** Pieces of heavy work in the queue. */
  readonly queuedWork: number;
  readonly eventLoopDelayMs: number;
}

/** Metrics of reports about served answers; by the same rules. */
export interface FeedbackMetrics {
  /** An answer was reported; `outcome` as in the API. */
  cacheReported(outcome: string): void;
  /** A report has quarantined an entry. */
  cacheQuarantined(): void;
}

/** Metrics of storing an answer; by the same rules. */
export interface EvictionMetrics {
  /** Unexpired entries were evicted to make room. */
  cacheEvicted(count: number): void;
  /** An answer was not stored; the reason as in the API. */
  cacheEntryNotStored(reason: string): void;
  /** How many namespaces were at their bound at the last store of this process. */
  cacheFullNamespaces(count: number): void;
}

/** Metrics of the content guard; by the same rules. */
export interface GuardMetrics {
  /** Calls `read` whenever metrics are read, until the returned function is called. */
  observeGuardOff(read: () => GuardOff): () => void;
}

/** Where the content guard is switched off. */
export interface GuardOff {
  /** By CACHE_GUARD. */
  readonly server: boolean;
  /** Number of namespaces, by their own policy. */
  readonly namespaces: number;
}

/** Metrics of what every store removes; by the same rules. */
export interface RemovalMetrics {
  /** Cache entries were removed after they expired or were invalidated. */
  cacheRemoved(reason: "expired" | "invalidated", count: number): void;
}

/** Metrics of a store; by the same rules. */
export interface StoreMetrics extends RemovalMetrics {
  /** The number of damaged parts of the stored data. */
  storeDamaged(parts: number): void;
  /** Damaged parts that have been rebuilt. */
  storeRepaired(parts: number): void;
  /** Calls `read` whenever metrics are read, until the returned function is called. */
  observeStoreDisk(read: () => StoreDisk): () => void;
}

/** The disk of an embedded store, in bytes. */
export interface StoreDisk {
  /** Undefined: unknown. */
  readonly freeBytes: number | undefined;
  /** Reserved for deletions. */
  readonly reservedBytes: number;
}

/** Metrics of Redis as the store; by the same rules. */
export interface RedisMetrics extends RemovalMetrics {
  /** The number of Redis settings with which acknowledged writes may be lost. */
  storeRisks(count: number): void;
  /** A record was long enough for compression; equal numbers when that did not make it shorter. */
  recordPacked(plainBytes: number, storedBytes: number): void;
  /** Calls `read` for the used memory, in bytes, whenever metrics are read, until the returned function is called. */
  observeStoreMemory(read: () => Promise<number>): () => void;
}

/** Metrics of authentication; by the same rules. */
export interface AuthenticationMetrics {
  /** The number of accepted API keys. */
  apiKeys(count: number): void;
  /** Whether the file of keys is invalid, so that the previous keys stay in use. */
  apiKeysRefused(refused: boolean): void;
  /** Whether calls need no credential, because AUTH_MODE=none and ALLOW_UNAUTHENTICATED=true. */
  openToEveryone(open: boolean): void;
}

/** Metrics of the server's certificate; by the same rules. */
export interface TlsMetrics {
  /** When the certificate in use expires, in seconds since the epoch. */
  tlsCertificateExpires(seconds: number): void;
  /** Whether the files are invalid, so that the previous certificate stays in use. */
  tlsFilesRefused(refused: boolean): void;
}

/** Metrics of the pending memories; by the same rules. */
export interface PendingMemoryMetrics {
  /** Calls `read`, and `now` for the time, whenever metrics are read, until the returned function is called. */
  observePendingMemories(read: () => Promise<PendingState>, now: () => number): () => void;
}

/** Metrics of an embedding provider; by the same rules. */
export interface EmbeddingMetrics {
  /** A request to the provider has finished: `ok`, or the kind of its failure in lower case. */
  embeddingRequest(outcome: string, texts: number, milliseconds: number): void;
  /** Tokens that the provider charges for, as it reports them. */
  embeddingTokens(count: number): void;
  /** A request will be retried because of `cause`. */
  embeddingRetry(cause: string): void;
  /** Texts whose vector was cached in memory, in the store, or not cached. */
  embeddingCache(outcome: "memory" | "store" | "miss", texts: number): void;
  embeddingBreaker(urgency: Urgency, state: BreakerState): void;
}

/** What a compaction did to memories. */
export type CompactedAs = "created" | "superseded" | "archived" | "purged" | "restored" | "refused";

/** A part of a compaction whose duration is measured. */
export type CompactionPhase = "plan" | "decide" | "summarize" | "apply" | "undo";

/** Metrics of compactions; by the same rules. */
export interface CompactionMetrics {
  /** Memories, by what became of them and why; refused: a merge that was not made, for this reason. */
  compactedMemories(action: CompactedAs, reason: CompactionReason, count: number): void;
  /** A run has ended; the tokens of its scope. */
  compactionEnded(state: string, tokensBefore: number, tokensAfter: number): void;
  compactionPhase(phase: CompactionPhase, milliseconds: number): void;
  /** Tokens that the language model charged for. */
  compactionModelTokens(count: number): void;
  /** A summary of the language model: used, failed, or why it was refused. */
  compactionModelAnswer(outcome: string): void;
  /** Calls `read` whenever metrics are read, until the returned function is called. */
  observeCompactions(read: () => Promise<CompactionOverview>): () => void;
}

/** The compactions of all servers of one store. */
export interface CompactionOverview {
  /** 1 - tokens after / tokens before, over the runs that ended within 24 hours; 0 without any. */
  readonly efficiency: number;
  /** How long the scope that waits longest has had changes without a run. */
  readonly oldestChangeMs: number;
  /** Runs that have work to do and that no server works on. */
  readonly unclaimedRuns: number;
}
