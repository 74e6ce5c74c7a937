import type { CacheStore } from "./cache-store.ts";
import type { EmbeddingBacklog } from "./embedding-backlog.ts";
import type { EmbeddingCache } from "./embedding-cache.ts";
import type { MemoryStore } from "./memory-store.ts";
import type { NamespaceStore } from "./namespace-store.ts";
import type { ReembeddingStore } from "./reembedding-store.ts";
import type { ServerSecret } from "./server-secret.ts";

/** Where data lives: all stores of one kind, opened and closed together. */
export interface Backend extends AsyncDisposable {
  /** `embedded` or `redis`. */
  readonly name: string;
  readonly memories: MemoryStore;
  readonly cache: CacheStore;
  readonly embeddings: EmbeddingCache;
  readonly backlog: EmbeddingBacklog;
  readonly reembedding: ReembeddingStore;
  readonly namespaces: NamespaceStore;
  readonly secret: ServerSecret;
  /** Resolves when reads and writes can be served now; rejects with what is missing, for /ready. */
  check(): Promise<void>;
  /** Resolves when what is checked of the stored data after a start has been checked. Never rejects. */
  readonly checked: Promise<void>;
  /** In what ways it is set up to lose what was acknowledged: one line each, for operators. Empty: none. */
  risks(): readonly string[];
  /** What is known to be damaged, or was until it was made again: one line each, for operators. Empty: nothing. */
  damage(): readonly string[];
}
