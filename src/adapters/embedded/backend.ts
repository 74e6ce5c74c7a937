import { join } from "node:path";
import type { Backend } from "../../ports/backend.ts";
import type { EmbedderIdentity } from "../../ports/embedder.ts";
import { EmbeddedCacheStore } from "./cache-store.ts";
import { Database } from "./database.ts";
import { claimEmbedder } from "./embedder-identity.ts";
import { EmbeddedMemoryStore } from "./memory-store.ts";
import { Namespaces } from "./namespaces.ts";
import { Requests } from "./requests.ts";
import { openServerSecret } from "./server-secret.ts";

/**
 * Opens the embedded backend: one SQLite file, `recollect.db`, in the data directory, for one process.
 * Rejects with STORE_UNAVAILABLE when another process has it, when it was written by a newer version, or when
 * its vectors are of another model.
 */
export async function openEmbeddedBackend(options: {
  readonly directory: string;
  /** Undefined: vector search is switched off. */
  readonly embedder: EmbedderIdentity | undefined;
}): Promise<Backend> {
  const database = new Database(join(options.directory, "recollect.db"));
  try {
    await claimEmbedder(database, options.embedder);
    const namespaces = new Namespaces(database);
    const requests = new Requests(database);
    return {
      name: "embedded",
      memories: new EmbeddedMemoryStore(database, namespaces, requests, options.embedder?.dimension ?? 0),
      cache: new EmbeddedCacheStore(database, namespaces, requests),
      secret: await openServerSecret(database),
      check: async () => {
        database.first("SELECT 1 FROM meta LIMIT 1");
      },
      [Symbol.asyncDispose]: async () => database[Symbol.dispose](),
    };
  } catch (error) {
    database[Symbol.dispose]();
    throw error;
  }
}
