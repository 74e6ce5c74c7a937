import { describe, expect, it } from "vitest";
import { createHashingEmbedder } from "../../../src/adapters/hashing/embedder.ts";
import type { Operation } from "../../support/model/operations.ts";
import { newRunCounts, type RunOptions, runOperations, testedPorts } from "../../support/model/run.ts";
import { runRandomly } from "../../support/model/shorten.ts";
import { sharedRedisUrl } from "../../support/redis/run.ts";
import { openRedisCache, type RedisCache, type RedisCacheOptions } from "../../support/redis-cache.ts";
import { referenceStores } from "../../support/reference/backend.ts";
import { COUNTS } from "../../support/scale.ts";
import { embeddingCacheContract } from "../embedding/cache.ts";
import { freshNamespaceKey, type StoreUnderTest, VECTOR_DIMENSION } from "../store-under-test.ts";
import { cacheStoreContract } from "./cache-store.ts";

const url = await sharedRedisUrl();
const MAX_EMBEDDINGS = 20;

/** Operations of the cache and the namespaces, without memories. */
const OF_THE_CACHE: ReadonlySet<Operation["op"]> = new Set<Operation["op"]>([
  ...(["storeEntry", "deleteEntry", "lookup", "getEntry", "listEntries", "cacheStats"] as const),
  ...(["getPolicy", "updatePolicy", "invalidate"] as const),
  ...(["deleteNamespace", "namespaces", "namespaceStats", "again", "wait", "restart"] as const),
]);

describe.skipIf(url === "")("on Redis", () => {
  cacheStoreContract("redis", () => open(({ cache }) => cache));
  cacheStoreContract("redis, in 4 partitions", () => open(({ cache }) => cache, { partitions: 4 }));
  describe("random operations on the cache, redis", () => {
    it("are answered as the reference does", async () => {
      const { identity } = createHashingEmbedder(VECTOR_DIMENSION);
      await using opened = await openRedisCache(url, { identity });
      const counts = newRunCounts();
      const { memories } = referenceStores();
      const stores = () => {
        const { cache, cachePolicies, namespaces } = opened;
        return { cache, cachePolicies, namespaces, memories };
      };
      const restart = () => opened.reopen();
      await runRandomly({ level: { ports: true }, runs: COUNTS.portRuns, seed: 20260102 }, async (all) => {
        const { tenant } = freshNamespaceKey();
        const options: RunOptions = {
          embedder: createHashingEmbedder(VECTOR_DIMENSION),
          cache: {
            maxEntries: 5,
            policy: "ADAPTIVE",
            defaultTtlMs: 3_600_000,
            similarityThreshold: 0.85,
            alignedThreshold: 0.5,
          },
          maxRevisions: 20,
          tenantOf: (one) => `${tenant}-${one}`,
        };
        const operations = all.filter(({ op }) => OF_THE_CACHE.has(op));
        await runOperations(operations, testedPorts({ stores, restart }, options), options, counts);
      });
      expect(counts.operations).toBeGreaterThan(COUNTS.portRuns * 15);
      expect(counts.replayed).toBeGreaterThan(COUNTS.portRuns / 4);
    });
  });

  embeddingCacheContract("redis", MAX_EMBEDDINGS, () => open(({ embeddings }) => embeddings));
});

async function open<Store>(
  storeOf: (opened: RedisCache) => Store,
  options: Partial<RedisCacheOptions> = {},
): Promise<StoreUnderTest<Store>> {
  const opened = await openRedisCache(url, {
    identity: { provider: "contract", model: "random", dimension: VECTOR_DIMENSION },
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
