import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { type ReservedSizes, spaceWarnings } from "../../domain/disk-space.ts";
import type { ConfiguredModel } from "../../domain/embedding/configured-model.ts";
import { FEED_LIMITS, type FeedLimits } from "../../domain/memory/changes.ts";
import { DEFAULT_MAX_REVISIONS } from "../../domain/memory/revision.ts";
import type { Backend, BackendDescription } from "../../ports/backend.ts";
import type { Disk } from "../../ports/disk.ts";
import type { OperatorLog } from "../../ports/log.ts";
import type { StoreMetrics } from "../../ports/metrics.ts";
import { systemDisk } from "../system/disk.ts";
import { EmbeddedCachePolicyStore } from "./cache/policies.ts";
import { EmbeddedCacheStore } from "./cache/store.ts";
import { EmbeddedCompactionStore } from "./compaction/store.ts";
import { ChangedScopes } from "./database/changed-scopes.ts";
import { Damage } from "./database/damage.ts";
import { DATABASE_FILE, DataDirectory } from "./database/data-directory.ts";
import { Database } from "./database/database.ts";
import { isFull } from "./database/errors.ts";
import { PendingRows } from "./database/pending-rows.ts";
import { ReservedSpace } from "./database/reserved-space.ts";
import { openServerSecret } from "./database/server-secret.ts";
import { createEmbeddingCache } from "./embedding/cache.ts";
import { claimEmbedder } from "./embedding/embedder-identity.ts";
import { EmbeddedEmbeddingQueue } from "./embedding/queue.ts";
import { EmbeddedReembeddingStore } from "./embedding/reembedding-store.ts";
import { KeywordIndex } from "./keywords/keyword-index.ts";
import { EmbeddedIndexStore } from "./maintenance/index-store.ts";
import { startSelfCheck } from "./maintenance/self-check.ts";
import { openMemories } from "./memory/memories.ts";
import { IdempotencyRecords } from "./namespaces/idempotency.ts";
import { NamespaceIds } from "./namespaces/namespace-ids.ts";
import { EmbeddedNamespaceStore } from "./namespaces/namespace-store.ts";
import { removeOldGraphs } from "./vectors/graph-files.ts";
import { MemoryVectors } from "./vectors/memory-vectors.ts";
import type { VectorModel } from "./vectors/vector-model.ts";

/** Default size of the embedding cache: with 1,536 numbers, some 300 MB on disk. */
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
  readonly metrics: StoreMetrics;
  /** Maximum number of vectors in the embedding cache. */
  readonly maxEmbeddings?: number;
  /** The disk of the directory. Default: that of the operating system. */
  readonly disk?: Disk | undefined;
  /** Disk space reserved for deletions. Default: RESERVED_SIZES. */
  readonly reserved?: ReservedSizes | undefined;
  /** The number of vectors of a namespace above which it gets a graph. Default: GRAPH_ABOVE. */
  readonly graphAbove?: number | undefined;
  /** How much of each change feed is kept. Default: FEED_LIMITS. */
  readonly feedLimits?: FeedLimits;
  /** How many revisions of a memory are kept. Default: DEFAULT_MAX_REVISIONS. */
  readonly maxRevisions?: number | undefined;
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
  const { log, metrics } = options;
  await using opening = new AsyncDisposableStack();
  const damage = new Damage(({ parts }) => metrics.storeDamaged(parts.length));
  const reserved = new ReservedSpace(directory, options.reserved);
  const database = opening.use(openDatabase(directory, { damage, reserved, log }));
  const stores = await openStores(database, { directory, damage, options }, opening);
  opening.defer(
    metrics.observeStoreDisk(() => ({ freeBytes: reserved.freeBytes, reservedBytes: reserved.bytes })),
  );
  const owned = opening.move();
  return {
    name: "embedded",
    ...stores,
    describe: async () => NO_SERVER,
    check: async () => {
      database.verifyFile();
      database.first("SELECT 1 FROM meta LIMIT 1");
    },
    risks: () => {
      const { obstacle } = directory;
      const blocked = obstacle === undefined ? [] : [`DATA_DIR ${obstacle}: writes are refused, reads go on`];
      return [...blocked, ...spaceWarnings(directory.disk.space(directory.path), reserved)];
    },
    damage: () => [
      ...damage.parts.map((part) => `damaged on disk: ${part}`),
      ...damage.repaired.map((part) => `was damaged on disk and has been rebuilt: ${part}`),
    ],
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function openDatabase(
  directory: DataDirectory,
  parts: { readonly damage: Damage; readonly reserved: ReservedSpace; readonly log: OperatorLog },
): Database {
  const { damage, reserved, log } = parts;
  const file = join(directory.path, DATABASE_FILE);
  return new Database(file, {
    directory,
    reserved,
    onCorrupt: () => {
      if (damage.met()) log.error({}, "a read met damaged data; memories that are not found may be lost");
    },
    onLost: () => log.error({ file }, "the file of the store was removed or replaced: no write is accepted"),
  });
}

/** Opens the stores; `owner` closes them. */
async function openStores(
  database: Database,
  parts: {
    readonly directory: DataDirectory;
    readonly damage: Damage;
    readonly options: EmbeddedBackendOptions;
  },
  owner: AsyncDisposableStack,
) {
  const { directory, damage, options } = parts;
  const { log, metrics, maxRevisions = DEFAULT_MAX_REVISIONS } = options;
  const model = await claimEmbedder(database, options.embedder, log);
  const namespaceIds = new NamespaceIds(database);
  const idempotencyRecords = new IdempotencyRecords(database);
  const pendingRows = new PendingRows(database);
  const keywords = new KeywordIndex(database, log);
  const vectors = owner.use(openVectors(database, directory, model, options));
  const common = { database, namespaces: namespaceIds, idempotencyRecords, model, vectors, keywords, damage };
  const changedScopes = new ChangedScopes(database);
  const memories = owner.use(
    openMemories({
      ...{ ...common, pendingRows, changedScopes, maxRevisions, log },
      feedLimits: options.feedLimits ?? FEED_LIMITS,
    }),
  );
  const compactions = new EmbeddedCompactionStore(database, {
    namespaces: namespaceIds,
    idempotencyRecords,
    memories: memories.changeWriter,
  });
  const cachePolicies = new EmbeddedCachePolicyStore(database, namespaceIds, idempotencyRecords);
  const cache = owner.use(
    new EmbeddedCacheStore(database, namespaceIds, idempotencyRecords, {
      model,
      policies: cachePolicies,
      log,
      metrics,
    }),
  );
  const secret = await openServerSecret(database);
  const selfCheck = database.existed ? startSelfCheck({ database, damage, log, metrics }) : undefined;
  const checked = (selfCheck?.finished ?? Promise.resolve()).then(() => {
    if (damage.repaired.length > 0) keywords.tables.clear();
  });
  void checked.then(() => cache.resumeReclaiming());
  const indexes = new EmbeddedIndexStore(database, { keywords, vectors, cache, model, checked, log });
  const onDeleted = (namespaceId: number): void => {
    vectors.drop(namespaceId);
    keywords.tables.drop(namespaceId);
    memories.changes.namespaceDeleted(namespaceId);
    cache.namespaceDeleted();
    cachePolicies.clearCache();
  };
  const namespaces = new EmbeddedNamespaceStore(database, namespaceIds, idempotencyRecords, {
    keywords,
    onDeleted,
    checked,
    log,
  });
  // Before the stores: they leave a last write to the database.
  owner.defer(async () => {
    await Promise.all([indexes, namespaces, selfCheck].map((one) => one?.[Symbol.asyncDispose]()));
  });
  return {
    memories,
    cache,
    cachePolicies,
    compactions,
    secret,
    checked,
    indexes,
    namespaces,
    pendingMemories: new EmbeddedEmbeddingQueue(database, namespaceIds, { pendingRows, vectors, model, log }),
    reembedding: new EmbeddedReembeddingStore(database, namespaceIds, { model, pendingRows, log }),
    embeddings: createEmbeddingCache(database, { maxEntries: options.maxEmbeddings ?? MAX_EMBEDDINGS, log }),
  };
}

function openVectors(
  database: Database,
  { path }: DataDirectory,
  model: VectorModel,
  { log, graphAbove }: EmbeddedBackendOptions,
): MemoryVectors {
  const directory = join(path, "vectors");
  mkdirSync(directory, { recursive: true });
  removeOldGraphs(directory, model.generation);
  return new MemoryVectors(database, { model, directory, log, graphAbove });
}
