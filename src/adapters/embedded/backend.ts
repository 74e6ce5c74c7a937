import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { type KeptSizes, spaceWarnings } from "../../domain/disk-space.ts";
import type { ConfiguredModel } from "../../domain/embedding/configured-model.ts";
import type { Backend, BackendDescription } from "../../ports/backend.ts";
import type { Disk } from "../../ports/disk.ts";
import type { OperatorLog } from "../../ports/log.ts";
import type { StoreMeter } from "../../ports/metrics.ts";
import { systemDisk } from "../system/disk.ts";
import { EmbeddedCacheStore } from "./cache/store.ts";
import { Damage } from "./database/damage.ts";
import { DATABASE_FILE, DataDirectory } from "./database/data-directory.ts";
import { Database } from "./database/database.ts";
import { isFull } from "./database/errors.ts";
import { PendingRows } from "./database/pending-rows.ts";
import { KeptSpace } from "./database/reserved-space.ts";
import { openServerSecret } from "./database/server-secret.ts";
import { createEmbeddingCache } from "./embedding/cache.ts";
import { claimEmbedder } from "./embedding/embedder-identity.ts";
import { EmbeddedBacklog } from "./embedding/queue.ts";
import { EmbeddedReembeddingStore } from "./embedding/reembedding-store.ts";
import { KeywordIndex } from "./keywords/keyword-index.ts";
import { EmbeddedIndexStore } from "./maintenance/index-store.ts";
import { startSelfCheck } from "./maintenance/self-check.ts";
import { openMemories } from "./memory/memories.ts";
import { Requests } from "./namespaces/idempotency.ts";
import { Namespaces } from "./namespaces/namespace-ids.ts";
import { EmbeddedNamespaceStore } from "./namespaces/namespace-store.ts";
import { removeOldGraphs } from "./vectors/graph-files.ts";
import { MemoryVectors } from "./vectors/memory-vectors.ts";

/** Embeddings that are kept: of 1,536 numbers, some 300 MB on disk. */
const MAX_EMBEDDINGS = 50_000;

const NO_SERVER: BackendDescription = {
  serverVersion: "",
  topology: "",
  modules: [],
  maxmemoryPolicy: "",
  persistence: [],
  capabilities: {},
};

export interface EmbeddedBackendOptions {
  readonly directory: string;
  /** Undefined: vector search is switched off. */
  readonly embedder: ConfiguredModel | undefined;
  readonly log: OperatorLog;
  readonly meter: StoreMeter;
  /** Vectors in the cache of embeddings, at most. */
  readonly maxEmbeddings?: number;
  /** Where the directory lies; the operating system's, if it is not given. */
  readonly disk?: Disk | undefined;
  /** What is kept back of the disk for deletions; KEPT_SIZES, if it is not given. */
  readonly kept?: KeptSizes | undefined;
}

/**
 * Opens the embedded backend: one SQLite file, `recollect.db`, in the data directory, for one process.
 * Rejects with STORE_UNAVAILABLE when another process has it, when it was written by a newer version, or when
 * its vectors are of another model; with STORE_UNAVAILABLE or STORE_FULL and the reason when the directory cannot be
 * written to. A file that was there before is checked in the background.
 */
export async function openEmbeddedBackend(options: EmbeddedBackendOptions): Promise<Backend> {
  const directory = new DataDirectory(options.directory, options.disk ?? systemDisk);
  directory.prepare();
  try {
    return await openIn(directory, options);
  } catch (error) {
    throw isFull(error) ? directory.unusable("ENOSPC", error) : directory.explain(error);
  }
}

async function openIn(directory: DataDirectory, options: EmbeddedBackendOptions): Promise<Backend> {
  const { log, meter } = options;
  const damage = new Damage(({ parts }) => meter.storeDamaged(parts.length));
  const kept = new KeptSpace(directory, options.kept);
  const file = join(directory.path, DATABASE_FILE);
  const database = new Database(file, {
    directory,
    kept,
    onCorrupt: () => {
      if (damage.met())
        log.error({}, "a read came upon damaged data; memories that are not found may be lost");
    },
    onLost: () => log.error({ file }, "the file of the store was removed or replaced: no write is accepted"),
  });
  try {
    const model = await claimEmbedder(database, options.embedder, log);
    const namespaces = new Namespaces(database);
    const requests = new Requests(database);
    const graphs = join(directory.path, "vectors");
    mkdirSync(graphs, { recursive: true });
    removeOldGraphs(graphs, model.generation);
    const pendingRows = new PendingRows(database);
    const keywords = new KeywordIndex(database);
    const vectors = new MemoryVectors(database, { model, directory: graphs, log });
    const memories = openMemories({
      database,
      namespaces,
      requests,
      model,
      vectors,
      keywords,
      damage,
      pendingRows,
      log,
    });
    const cache = new EmbeddedCacheStore(database, namespaces, requests, { model, log });
    const secret = await openServerSecret(database);
    const selfCheck = database.existed ? startSelfCheck({ database, damage, log, meter }) : undefined;
    const checked = selfCheck?.ended ?? Promise.resolve();
    const indexes = new EmbeddedIndexStore(database, { keywords, vectors, cache, model, checked, log });
    const namespaceStore = new EmbeddedNamespaceStore(database, namespaces, requests, {
      keywords,
      onDeleted: (namespaceId) => {
        vectors.forget(namespaceId);
        cache.forgetHot();
      },
      checked,
      log,
    });
    const unobserve = meter.observeStoreDisk(() => ({
      freeBytes: kept.freeBytes,
      keptBytes: kept.bytes,
    }));
    return {
      name: "embedded",
      memories,
      backlog: new EmbeddedBacklog(database, namespaces, { pendingRows, holder: vectors, model, log }),
      reembedding: new EmbeddedReembeddingStore(database, namespaces, { model, pendingRows, log }),
      namespaces: namespaceStore,
      indexes,
      cache,
      embeddings: createEmbeddingCache(database, {
        maxEntries: options.maxEmbeddings ?? MAX_EMBEDDINGS,
        log,
      }),
      secret,
      describe: async () => NO_SERVER,
      check: async () => {
        database.verifyFile();
        database.first("SELECT 1 FROM meta LIMIT 1");
      },
      onReplaced: () => {
        // It is open as long as the server runs; another one in its place is refused.
      },
      checked,
      risks: () => {
        const { obstacle } = directory;
        const blocked =
          obstacle === undefined ? [] : [`DATA_DIR ${obstacle}: writes are refused, reads go on`];
        return [...blocked, ...spaceWarnings(directory.disk.space(directory.path), kept)];
      },
      damage: () => [
        ...damage.parts.map((part) => `damaged on disk: ${part}`),
        ...damage.repaired.map((part) => `was damaged on disk and has been made again: ${part}`),
      ],
      [Symbol.asyncDispose]: async () => {
        unobserve();
        await Promise.all([
          indexes[Symbol.asyncDispose](),
          namespaceStore[Symbol.asyncDispose](),
          selfCheck?.[Symbol.asyncDispose](),
        ]);
        // First, because it leaves a last write to the database.
        cache[Symbol.dispose]();
        memories[Symbol.dispose]();
        vectors[Symbol.dispose]();
        database[Symbol.dispose]();
      },
    };
  } catch (error) {
    database[Symbol.dispose]();
    throw error;
  }
}
