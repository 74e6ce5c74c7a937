import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type EmbeddedBackendOptions, openEmbeddedBackend } from "../../src/adapters/embedded/backend.ts";
import { createHashingEmbedder } from "../../src/adapters/hashing/embedder.ts";
import type { Backend } from "../../src/ports/backend.ts";
import { quiet } from "../support/quiet.ts";
import { LONG_FEED } from "../support/reference/world.ts";
import { SMALL_RESERVED_SPACE } from "../support/small-reserved-space.ts";
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
const EMBEDDER = { provider: "contract", model: "random", dimension: VECTOR_DIMENSION };

memoriesContract("embedded", () => openInTemporaryDirectory((backend) => backend.memories));
changeFeedContract("embedded", () =>
  openInTemporaryDirectory((backend) => backend, { feedLimits: SMALL_FEED }),
);
cacheStoreContract("embedded", () => openInTemporaryDirectory((backend) => backend.cache));
cachePolicyStoreContract("embedded", () => openInTemporaryDirectory((backend) => backend));
compactionStoreContract("embedded", () => openInTemporaryDirectory((backend) => backend));
namespaceStoreContract("embedded", () => openInTemporaryDirectory((backend) => backend));
embeddingCacheContract("embedded", MAX_EMBEDDINGS, () =>
  openInTemporaryDirectory((backend) => backend.embeddings),
);
randomOperationsContract("embedded", () =>
  // What the operations embed with; vectors of another model would have to wait for their own.
  openInTemporaryDirectory((backend) => backend, {
    embedder: createHashingEmbedder(VECTOR_DIMENSION).identity,
    feedLimits: LONG_FEED,
  }),
);
indexStoreContract("embedded", () => openInTemporaryDirectory((backend) => backend));
embeddingQueueContract("embedded", () => openInTemporaryDirectory((backend) => backend));
reembeddingStoreContract("embedded", EMBEDDER, () => openInTemporaryDirectory((backend) => backend));
sharedNamesContract("embedded", () => openInTemporaryDirectory((backend) => backend));
serverSecretContract("embedded", () => openInTemporaryDirectory((backend) => backend.secret));

async function openInTemporaryDirectory<Store>(
  storeOf: (backend: Backend) => Store,
  options: Partial<Pick<EmbeddedBackendOptions, "embedder" | "feedLimits">> = {},
): Promise<StoreUnderTest<Store>> {
  const directory = await mkdtemp(join(tmpdir(), "recollect-contract-"));
  const open = () =>
    openEmbeddedBackend({
      directory,
      embedder: EMBEDDER,
      ...quiet,
      reserved: SMALL_RESERVED_SPACE,
      maxEmbeddings: MAX_EMBEDDINGS,
      maxRevisions: MAX_REVISIONS,
      ...options,
    });
  let backend = await open();
  return {
    get store() {
      return storeOf(backend);
    },
    reopen: async () => {
      await backend[Symbol.asyncDispose]();
      backend = await open();
    },
    [Symbol.asyncDispose]: async () => {
      await backend[Symbol.asyncDispose]();
      await rm(directory, { recursive: true });
    },
  };
}
