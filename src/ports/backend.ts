import type { CacheStore } from "./cache/cache-store.ts";
import type { EmbeddingBacklog } from "./embedding/backlog.ts";
import type { EmbeddingCache } from "./embedding/embedding-cache.ts";
import type { ReembeddingStore } from "./embedding/reembedding-store.ts";
import type { IndexStore } from "./index-store.ts";
import type { Memories } from "./memory/memories.ts";
import type { NamespaceStore } from "./namespace-store.ts";
import type { ServerSecret } from "./server-secret.ts";

/** What is known of the server behind a backend; empty where there is none, or it does not say. */
export interface BackendDescription {
  /** Such as `7.2.4`. */
  readonly serverVersion: string;
  /** Such as `standalone`, `sentinel` or `cluster`. */
  readonly topology: string;
  /** Each with its version, such as `search 2.8.4`. */
  readonly modules: readonly string[];
  /** What the server does when its memory is full, such as `noeviction`. */
  readonly maxmemoryPolicy: string;
  /** How the server keeps data on disk, such as `aof everysec`; one each. */
  readonly persistence: readonly string[];
  /** What was probed and may differ from server to server, by name. */
  readonly capabilities: Readonly<Record<string, string>>;
}

/** All stores of one kind, opened and closed together. */
export interface Backend extends AsyncDisposable {
  /** `embedded` or `redis`. */
  readonly name: string;
  readonly memories: Memories;
  readonly cache: CacheStore;
  readonly embeddings: EmbeddingCache;
  readonly backlog: EmbeddingBacklog;
  readonly reembedding: ReembeddingStore;
  readonly namespaces: NamespaceStore;
  readonly indexes: IndexStore;
  readonly secret: ServerSecret;
  /** What the server behind it is now. Rejects with STORE_UNAVAILABLE when that has to be asked and does not answer. */
  describe(): Promise<BackendDescription>;
  /** Resolves when reads and writes can be served now; rejects with what is missing, for /ready. */
  check(): Promise<void>;
  /**
   * Calls this when the stored data was replaced from outside (emptied, restored) and is served again. Absent: the data
   * cannot be replaced while it is open.
   */
  onReplaced?(listener: () => void): void;
  /** Resolves when the check of the stored data after a start has ended. Never rejects. */
  readonly checked: Promise<void>;
  /**
   * Why it may lose acknowledged writes or refuse writes, now or soon, such as its configuration or its disk: one line
   * each, for operators. Empty: no reason.
   */
  risks(): readonly string[];
  /** Parts of the data that are damaged, or were until they were repaired: one line each, for operators. */
  damage(): readonly string[];
}
