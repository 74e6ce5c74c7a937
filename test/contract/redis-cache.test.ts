import { describe } from "vitest";
import { openRedisCache, type RedisCache, type RedisCacheOptions } from "../support/redis-cache.ts";
import { cacheStoreContract } from "./cache-store.ts";
import { embeddingCacheContract } from "./embedding-cache.ts";
import { type StoreUnderTest, VECTOR_DIMENSION } from "./store-under-test.ts";

const url = process.env["TEST_REDIS_URL"] ?? "";
const MAX_EMBEDDINGS = 20;

describe.skipIf(url === "")("on Redis", () => {
  cacheStoreContract("redis", () => open(({ cache }) => cache));
  cacheStoreContract("redis, in 4 partitions", () => open(({ cache }) => cache, { partitions: 4 }));
  embeddingCacheContract("redis", MAX_EMBEDDINGS, () => open(({ embeddings }) => embeddings));
});

async function open<Store>(
  storeOf: (opened: RedisCache) => Store,
  options: Partial<RedisCacheOptions> = {},
): Promise<StoreUnderTest<Store>> {
  const opened = await openRedisCache(url, {
    dimension: VECTOR_DIMENSION,
    maxEmbeddings: MAX_EMBEDDINGS,
    ...options,
  });
  return {
    get store() {
      return storeOf(opened);
    },
    reopen: () => opened.reopen(),
    [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
  };
}
