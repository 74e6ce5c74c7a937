import { afterAll, beforeAll } from "vitest";
import { createHashingEmbedder } from "../../src/adapters/hashing/embedder.ts";
import type { RedisBackendOptions } from "../../src/adapters/redis/backend.ts";
import type { Backend } from "../../src/ports/backend.ts";
import type { EmbedderIdentity } from "../../src/ports/embedding/embedder.ts";
import { cacheStoreContract } from "../contract/cache/cache-store.ts";
import { cachePolicyStoreContract } from "../contract/cache/policies.ts";
import { compactionStoreContract } from "../contract/compaction/compaction-store.ts";
import { embeddingCacheContract } from "../contract/embedding/cache.ts";
import { embeddingQueueContract } from "../contract/embedding/queue.ts";
import { reembeddingStoreContract } from "../contract/embedding/reembedding-store.ts";
import { indexStoreContract } from "../contract/index-store.ts";
import { changeFeedContract, SMALL_FEED } from "../contract/memory/changes.ts";
import { memoriesContract } from "../contract/memory/memories.ts";
import { namespaceStoreContract } from "../contract/namespace-store.ts";
import { randomOperationsContract } from "../contract/random-operations.ts";
import { serverSecretContract } from "../contract/server-secret.ts";
import { sharedNamesContract } from "../contract/shared-names.ts";
import { MAX_REVISIONS, type StoreUnderTest, VECTOR_DIMENSION } from "../contract/store-under-test.ts";
import { clusterSettings, openTestRedis } from "../support/redis/backend.ts";
import { type RedisCluster, startCluster } from "../support/redis/cluster.ts";
import { describeRedisPrograms } from "../support/redis/run.ts";
import { LONG_FEED } from "../support/reference/world.ts";

const MAX_EMBEDDINGS = 20;
const CONTRACT: EmbedderIdentity = { provider: "contract", model: "random", dimension: VECTOR_DIMENSION };
/** Covers all three primaries. */
const PARTITIONS = 4;

await describeRedisPrograms("on a Redis Cluster", () => {
  let cluster: RedisCluster;
  beforeAll(async () => {
    cluster = await startCluster();
  });
  afterAll(() => cluster[Symbol.asyncDispose]());

  memoriesContract("cluster", () => open((backend) => backend.memories));
  changeFeedContract("cluster", () => open((backend) => backend, { feedLimits: SMALL_FEED }));
  cacheStoreContract("cluster", () => open((backend) => backend.cache));
  cachePolicyStoreContract("cluster", () => open((backend) => backend));
  compactionStoreContract("cluster", () => open((backend) => backend));
  namespaceStoreContract("cluster", () => open((backend) => backend));
  // Each partition bounds its own share, so the eviction order is exact only within one partition.
  embeddingCacheContract("cluster", MAX_EMBEDDINGS, () =>
    open((backend) => backend.embeddings, { partitions: 1 }),
  );
  // The model of the operations; memories with vectors of another model would be pending.
  randomOperationsContract("cluster", () =>
    open((backend) => backend, {
      embedder: createHashingEmbedder(VECTOR_DIMENSION).identity,
      feedLimits: LONG_FEED,
    }),
  );
  embeddingQueueContract("cluster", () => open((backend) => backend));
  reembeddingStoreContract("cluster", CONTRACT, () => open((backend) => backend));
  indexStoreContract("cluster", () => open((backend) => backend));
  sharedNamesContract("cluster", () => open((backend) => backend));
  serverSecretContract("cluster", () => open((backend) => backend.secret));

  async function open<Store>(
    storeOf: (backend: Backend) => Store,
    {
      embedder = CONTRACT,
      partitions = PARTITIONS,
      ...others
    }: Partial<Pick<RedisBackendOptions, "embedder" | "partitions" | "feedLimits">> = {},
  ): Promise<StoreUnderTest<Store>> {
    const opened = await openTestRedis(clusterSettings(cluster.primaries), {
      embedder,
      partitions,
      maxEmbeddings: MAX_EMBEDDINGS,
      maxRevisions: MAX_REVISIONS,
      ...others,
    });
    return {
      get store() {
        return storeOf(opened.backend);
      },
      reopen: () => opened.reopen(),
      [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
    };
  }
});
