import { createHashingEmbedder } from "../../src/adapters/hashing/embedder.ts";
import type { FeedLimits } from "../../src/domain/memory/changes.ts";
import type { Backend } from "../../src/ports/backend.ts";
import type { EmbedderIdentity } from "../../src/ports/embedding/embedder.ts";
import { openTestRedis } from "../support/redis/backend.ts";
import { describeSharedRedis } from "../support/redis/run.ts";
import { LONG_FEED } from "../support/reference/world.ts";
import { cacheStoreContract } from "./cache/cache-store.ts";
import { cachePolicyStoreContract } from "./cache/policies.ts";
import { compactionStoreContract } from "./compaction/compaction-store.ts";
import { embeddingCacheContract } from "./embedding/cache.ts";
import { embeddingQueueContract } from "./embedding/queue.ts";
import { reembeddingStoreContract } from "./embedding/reembedding-store.ts";
import { indexStoreContract } from "./index-store.ts";
import { changeFeedContract, SMALL_FEED } from "./memory/changes.ts";
import { memoriesContract } from "./memory/memories.ts";
import { namespaceStoreContract } from "./namespace-store.ts";
import { randomOperationsContract } from "./random-operations.ts";
import { serverSecretContract } from "./server-secret.ts";
import { sharedNamesContract } from "./shared-names.ts";
import { MAX_REVISIONS, type StoreUnderTest, VECTOR_DIMENSION } from "./store-under-test.ts";

const MAX_EMBEDDINGS = 20;
const CONTRACT: EmbedderIdentity = { provider: "contract", model: "random", dimension: VECTOR_DIMENSION };

await describeSharedRedis("on Redis", ({ url }) => {
  memoriesContract("redis", () => open((backend) => backend.memories));
  changeFeedContract("redis", () => open((backend) => backend, { feedLimits: SMALL_FEED }));
  cacheStoreContract("redis", () => open((backend) => backend.cache));
  cachePolicyStoreContract("redis", () => open((backend) => backend));
  compactionStoreContract("redis", () => open((backend) => backend));
  namespaceStoreContract("redis", () => open((backend) => backend));
  embeddingCacheContract("redis", MAX_EMBEDDINGS, () => open((backend) => backend.embeddings));
  // What the operations embed with; vectors of another model would have to wait for their own.
  randomOperationsContract("redis", () =>
    open((backend) => backend, {
      embedder: createHashingEmbedder(VECTOR_DIMENSION).identity,
      feedLimits: LONG_FEED,
    }),
  );
  embeddingQueueContract("redis", () => open((backend) => backend));
  reembeddingStoreContract("redis", CONTRACT, () => open((backend) => backend));
  indexStoreContract("redis", () => open((backend) => backend));
  sharedNamesContract("redis", () => open((backend) => backend));
  serverSecretContract("redis", () => open((backend) => backend.secret));

  async function open<Store>(
    storeOf: (backend: Backend) => Store,
    options: { readonly embedder?: EmbedderIdentity; readonly feedLimits?: FeedLimits } = {},
  ): Promise<StoreUnderTest<Store>> {
    const opened = await openTestRedis(url, {
      embedder: CONTRACT,
      maxEmbeddings: MAX_EMBEDDINGS,
      maxRevisions: MAX_REVISIONS,
      ...options,
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
