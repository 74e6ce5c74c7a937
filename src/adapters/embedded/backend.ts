import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Backend } from "../../ports/backend.ts";
import type { EmbedderIdentity } from "../../ports/embedder.ts";
import type { Log } from "../../ports/log.ts";
import { EmbeddedCacheStore } from "./cache-store.ts";
import { Database } from "./database.ts";
import { claimEmbedder } from "./embedder-identity.ts";
import { openEmbeddingCache } from "./embedding-cache.ts";
import { EmbeddedMemoryStore } from "./memory-store.ts";
import { EmbeddedNamespaceStore } from "./namespace-store.ts";
import { Namespaces } from "./namespaces.ts";
import { Requests } from "./requests.ts";
import { openServerSecret } from "./server-secret.ts";

/** Embeddings that are kept: of 1,536 numbers, some 300 MB on disk. */
const MAX_EMBEDDINGS = 50_000;

/**
 * Opens the embedded backend: one SQLite file, `recollect.db`, in the data directory, for one process.
 * Rejects with STORE_UNAVAILABLE when another process has it, when it was written by a newer version, or when
 * its vectors are of another model.
 */
export async function openEmbeddedBackend(options: {
  readonly directory: string;
  /** Undefined: vector search is switched off. */
  readonly embedder: EmbedderIdentity | undefined;
  readonly log: Log;
  /** Vectors in the cache of embeddings, at most. */
  readonly maxEmbeddings?: number;
}): Promise<Backend> {
  const database = new Database(join(options.directory, "recollect.db"));
  try {
    await claimEmbedder(database, options.embedder);
    const namespaces = new Namespaces(database);
    const requests = new Requests(database);
    const graphs = join(options.directory, "vectors");
    mkdirSync(graphs, { recursive: true });
    const memories = new EmbeddedMemoryStore(database, namespaces, requests, {
      dimension: options.embedder?.dimension ?? 0,
      directory: graphs,
      log: options.log,
    });
    const cache = new EmbeddedCacheStore(database, namespaces, requests, options.log);
    return {
      name: "embedded",
      memories,
      namespaces: new EmbeddedNamespaceStore(database, namespaces, requests, (namespaceId) =>
        memories.forget(namespaceId),
      ),
      cache,
      embeddings: await openEmbeddingCache(database, {
        maxEntries: options.maxEmbeddings ?? MAX_EMBEDDINGS,
        log: options.log,
      }),
      secret: await openServerSecret(database),
      check: async () => {
        database.first("SELECT 1 FROM meta LIMIT 1");
      },
      [Symbol.asyncDispose]: async () => {
        // First, because it leaves a last write to the database.
        cache[Symbol.dispose]();
        database[Symbol.dispose]();
      },
    };
  } catch (error) {
    database[Symbol.dispose]();
    throw error;
  }
}
