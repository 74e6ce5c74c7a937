import type { CacheStore } from "./cache/cache-store.ts";
import type { CachePolicyStore } from "./cache/policy-store.ts";
import type { CompactionStore } from "./compaction/compaction-store.ts";
import type { EmbeddingCache } from "./embedding/embedding-cache.ts";
import type { PendingMemoryQueue } from "./embedding/pending-memory-queue.ts";
import type { ReembeddingStore } from "./embedding/reembedding-store.ts";
import type { IndexStore } from "./index-store.ts";
import type { Memories } from "./memory/memories.ts";
import type { NamespaceStore } from "./namespace-store.ts";
import type { ServerSecret } from "./server-secret.ts";

/** The server of a backend; fields are empty when there is none, or they are unknown. */
export interface BackendDescription {
  /** Such as `7.2.4`. */
  readonly serverVersion: string;
  /** Such as `standalone`, `sentinel` or `cluster`. */
  readonly topology: string;
  /** Each with its version, such as `search 2.8.4`. */
  readonly modules: readonly string[];
  /** The eviction policy of the server, such as `noeviction`. */
  readonly maxmemoryPolicy: string;
  /** The kinds of persistence of the server, such as `aof everysec`. */
  readonly persistence: readonly string[];
  /** Probed features, which differ between servers, by name. */
  readonly capabilities: Readonly<Record<string, string>>;
}

/** All stores of one kind, opened and closed together. */
export interface Backend extends AsyncDisposable {
  /** `embedded` or `redis`. */
  readonly name: string;
  readonly memories: Memories;
  readonly cache: CacheStore;
  readonly cachePolicies: CachePolicyStore;
  readonly compactions: CompactionStore;
  readonly embeddings: EmbeddingCache;
  readonly pendingMemories: PendingMemoryQueue;
  readonly reembedding: ReembeddingStore;
  readonly namespaces: NamespaceStore;
  readonly indexes: IndexStore;
  readonly secret: ServerSecret;
  /** Describes its server. Rejects with STORE_UNAVAILABLE when a remote server does not answer. */
  describe(): Promise<BackendDescription>;
  /** Readiness probe: resolves when reads and writes can be served, else rejects with the cause. */
  check(): Promise<void>;
  /**
   * Calls `listener` when the stored data was replaced from outside (emptied, restored) and is served again. Absent: the
   * data cannot be replaced while it is open.
   */
  onReplaced?(listener: () => void): void;
  /** Resolves when the check of the stored data after a start has finished. Never rejects. */
  readonly checked: Promise<void>;
  /**
   * Warnings for operators, one line each: why the backend may lose acknowledged writes or refuse writes, now or soon, such
   * as its configuration or its disk.
   */
  risks(): readonly string[];
  /** Damaged and repaired parts of the data, one line each, for operators. */
  damage(): readonly string[];
}
