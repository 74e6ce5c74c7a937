import type { NamespaceKey } from "../../domain/access/tenancy.ts";
import { FEED_LIMITS, type FeedLimits } from "../../domain/memory/changes.ts";
import { DEFAULT_MAX_REVISIONS } from "../../domain/memory/revision.ts";
import { Listeners } from "../../lib/listeners.ts";
import type { Backend, BackendDescription } from "../../ports/backend.ts";
import type { OperatorLog } from "../../ports/log.ts";
import type { RedisMetrics } from "../../ports/metrics.ts";
import type { Sleep } from "../../ports/sleep.ts";
import { sleep } from "../system/sleep.ts";
import { RedisCachePolicyStore } from "./cache/policies.ts";
import { RedisCacheStore } from "./cache/store.ts";
import { RedisCompactionStore } from "./compaction/store.ts";
import type { RedisClient } from "./connection/client.ts";
import { Gate } from "./connection/gate.ts";
import { type RedisServerInfo, riskOf } from "./connection/server-info.ts";
import { createEmbeddingCache } from "./embedding/cache.ts";
import { RedisEmbeddingQueue } from "./embedding/queue.ts";
import { repairReembedding } from "./embedding/reembedding-repair.ts";
import { RedisReembeddingStore } from "./embedding/reembedding-store.ts";
import { type FoundationOptions, openFoundation } from "./indexes/foundation.ts";
import { RedisIndexStore } from "./indexes/index-store.ts";
import { IndexKeeper } from "./indexes/keeper.ts";
import type { VectorModel } from "./indexes/vector-model.ts";
import { openMemories } from "./memory/memories.ts";
import { Sweeper } from "./memory/sweeper.ts";
import type { Keys } from "./namespaces/keys.ts";
import { claimPartitions, RedisServerSecret } from "./namespaces/metadata.ts";
import { Namespaces } from "./namespaces/namespace-ids.ts";
import { RedisNamespaceStore } from "./namespaces/namespace-store.ts";
import { compressingPacker, packRecord } from "./namespaces/records.ts";
import { StoreIdentity } from "./namespaces/store-identity.ts";

/** Default size of the embedding cache: with 1,536 numbers, some 300 MB of memory. */
const MAX_EMBEDDINGS = 50_000;

export interface RedisBackendOptions extends FoundationOptions {
  readonly log: OperatorLog;
  readonly metrics: RedisMetrics;
  /** Size in bytes from which records are compressed; undefined: never. */
  readonly compressFrom?: number | undefined;
  /** Maximum number of vectors in the embedding cache. */
  readonly maxEmbeddings?: number;
  /** How much of each change feed is kept. Default: FEED_LIMITS. */
  readonly feedLimits?: FeedLimits;
  /** For the pauses between two polls of the change feeds. Default: a timer. */
  readonly sleep?: Sleep;
  /** How many revisions of a memory are kept. Default: DEFAULT_MAX_REVISIONS. */
  readonly maxRevisions?: number | undefined;
}

/**
 * Opens the Redis backend. Several servers may share it. Rejects with STORE_UNAVAILABLE when Redis cannot be reached or
 * lacks a required feature, when its data is of another format, or when its vectors are of another model.
 */
export async function openRedisBackend(options: RedisBackendOptions): Promise<Backend> {
  const { log, metrics, vectors, indexes: names } = options;
  await using opening = new AsyncDisposableStack();
  const foundation = opening.use(await openFoundation(options));
  const { client: direct, serverInfo, keys, model } = foundation;
  const keeper = opening.use(new IndexKeeper({ client: direct, keys, names, vectors, model, log }));
  await keeper.open();
  const risks = riskOf(serverInfo);
  announce(options, serverInfo, risks);
  opening.defer(metrics.observeStoreMemory(() => usedMemory(direct)));
  const secret = await RedisServerSecret.open(direct, keys);

  const gate = new Gate();
  const client = direct.behind(gate);
  // StoreIdentity is opened last; no store calls `verify` before.
  const verify = (): Promise<void> => identity.verify();
  const stores = openStores(options, { client, keys, model, keeper, verify }, opening);
  const { memories, cache, reembedding, namespaces, pendingAdded, sweeper } = stores;
  const replacedListeners: (() => void)[] = [];
  const identity = await StoreIdentity.open({
    client: direct,
    keys,
    gate,
    log,
    namespaces: () => namespaces.mostCached,
    claim: async () => {
      for (const cached of [namespaces, memories, cache, reembedding, keeper]) cached.clearCache();
      await claimPartitions(direct, keys);
      await model.claimAgain(log);
      await secret.claimAgain();
      await repairReembedding(direct, keys);
      await keeper.open();
    },
    onServed: () => {
      // Never rejects: what fails is retried in the background.
      void memories.openHistory();
      pendingAdded.notify();
      sweeper.afterDeletion();
      for (const listener of replacedListeners) listener();
    },
  });
  model.verifyBy(verify);
  await memories.openHistory();
  const owned = opening.move();
  const maxEntries = options.maxEmbeddings ?? MAX_EMBEDDINGS;
  return {
    name: "redis",
    memories,
    cache,
    cachePolicies: new RedisCachePolicyStore(namespaces),
    compactions: stores.compactions,
    embeddings: createEmbeddingCache(client, keys, { maxEntries }),
    pendingMemories: new RedisEmbeddingQueue(client, namespaces, { model, pendingAdded, log }),
    reembedding,
    indexes: stores.indexes,
    namespaces: new RedisNamespaceStore(client, namespaces, () => sweeper.afterDeletion()),
    secret,
    describe: async () => describe(serverInfo),
    check: () => identity.check(),
    onReplaced: (listener) => void replacedListeners.push(listener),
    checked: Promise.resolve(),
    risks: () => risks,
    damage: () => [],
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

interface StoreParts {
  readonly client: RedisClient;
  readonly keys: Keys;
  readonly model: VectorModel;
  readonly keeper: IndexKeeper;
  /** See Namespaces. */
  readonly verify: () => Promise<void>;
}

/** Makes the stores; `owner` closes them. */
function openStores(
  options: RedisBackendOptions,
  { client, keys, model, keeper, verify }: StoreParts,
  owner: AsyncDisposableStack,
) {
  const { log, metrics, vectors, indexes, compressFrom, maxRevisions = DEFAULT_MAX_REVISIONS } = options;
  const { feedLimits = FEED_LIMITS } = options;
  const namespaces = new Namespaces(client, keys, verify);
  const pendingAdded = new Listeners();
  const sweeper = owner.use(new Sweeper(client, keys, feedLimits, log));
  // Removes deleted namespaces that an earlier process left.
  sweeper.afterDeletion();
  const pack = compressFrom === undefined ? packRecord : compressingPacker(compressFrom, metrics);
  const missing = (scope: NamespaceKey): void => keeper.missing(namespaces.partition(scope));
  const common = { model, pack, indexes, vectors, missing, log };
  const onPending = (): void => pendingAdded.notify();
  const memories = owner.use(
    openMemories(client, namespaces, {
      ...{ ...common, sweeper, maxRevisions, onPending, feedLimits },
      sleep: options.sleep ?? sleep,
    }),
  );
  const cache = owner.use(new RedisCacheStore(client, namespaces, { ...common, metrics }));
  const compactions = new RedisCompactionStore(client, namespaces, { pack, memories: memories.changeWriter });
  const indexStore = owner.use(new RedisIndexStore({ client, keys, model, names: indexes, vectors }));
  const reembedding = new RedisReembeddingStore({
    client,
    keys,
    namespaces,
    model,
    pendingAdded,
    names: indexes,
    vectors,
    log,
  });
  return {
    namespaces,
    pendingAdded,
    sweeper,
    memories,
    cache,
    compactions,
    indexes: indexStore,
    reembedding,
  };
}

function describe(serverInfo: RedisServerInfo): BackendDescription {
  return {
    serverVersion: serverInfo.version,
    topology: serverInfo.topology,
    modules: serverInfo.modules,
    maxmemoryPolicy: serverInfo.maxmemoryPolicy,
    persistence: [serverInfo.persistence],
    capabilities: {},
  };
}

/** Logs one line about the server, and one for each risk. */
function announce(
  { log, metrics, indexes, vectors }: RedisBackendOptions,
  { version, topology, modules, maxmemoryPolicy, persistence }: RedisServerInfo,
  risks: readonly string[],
): void {
  log.info(
    {
      topology,
      version,
      modules,
      indexes,
      algorithm: vectors.algorithm,
      maxmemory_policy: maxmemoryPolicy,
      persistence,
    },
    "Redis opened",
  );
  metrics.storeRisks(risks.length);
  for (const risk of risks) log.warn({}, risk);
}

async function usedMemory(client: RedisClient): Promise<number> {
  const infos = await client.commandToEach("INFO", "memory");
  return infos.reduce<number>(
    (sum, info) => sum + Number(/^used_memory:(\d+)/m.exec(String(info))?.[1] ?? 0),
    0,
  );
}
