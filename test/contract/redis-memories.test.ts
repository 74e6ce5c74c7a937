import { describe } from "vitest";
import { createHashingEmbedder } from "../../src/adapters/hashing/embedder.ts";
import type { EmbedderIdentity } from "../../src/ports/embedder.ts";
import { type RedisStores, redisPlace } from "../support/redis-memories.ts";
import { memoryStoreContract } from "./memory-store.ts";
import { namespaceStoreContract } from "./namespace-store.ts";
import { randomOperationsContract } from "./random-operations.ts";
import { sharedNamesContract } from "./shared-names.ts";
import { type StoreUnderTest, VECTOR_DIMENSION } from "./store-under-test.ts";

const url = process.env["TEST_REDIS_URL"] ?? "";
const CONTRACT: EmbedderIdentity = { provider: "contract", model: "random", dimension: VECTOR_DIMENSION };

describe.skipIf(url === "")("on Redis", () => {
  memoryStoreContract("redis", () => open(({ memories }) => memories));
  memoryStoreContract("redis, in 4 partitions", () => open(({ memories }) => memories, { partitions: 4 }));
  namespaceStoreContract("redis", () => open((stores) => stores));
  namespaceStoreContract("redis, in 4 partitions", () => open((stores) => stores, { partitions: 4 }));
  sharedNamesContract("redis", () => open((stores) => stores));
  randomOperationsContract("redis", () =>
    // What the operations embed with; vectors of another model would have to wait for their own.
    open((stores) => stores, { identity: createHashingEmbedder(VECTOR_DIMENSION).identity }),
  );
});

async function open<Store>(
  storeOf: (stores: RedisStores) => Store,
  options: { readonly partitions?: number; readonly identity?: EmbedderIdentity } = {},
): Promise<StoreUnderTest<Store>> {
  const place = redisPlace(url, options.identity ?? CONTRACT, options);
  let stores = await place.open();
  return {
    get store() {
      return storeOf(stores);
    },
    reopen: async () => {
      await stores[Symbol.asyncDispose]();
      stores = await place.open();
    },
    [Symbol.asyncDispose]: async () => {
      await stores[Symbol.asyncDispose]();
      await place[Symbol.asyncDispose]();
    },
  };
}
