import { expect, it } from "vitest";
import type { EmbedderIdentity } from "../../src/ports/embedding/embedder.ts";
import { reasonOf, VECTOR_DIMENSION, vectorOf } from "../contract/store-under-test.ts";
import { cacheEntry, NOW, newMemory } from "../support/builders.ts";
import { findNearest } from "../support/cache-lookups.ts";
import { openTestRedis } from "../support/redis/backend.ts";
import { connectTo } from "../support/redis/client.ts";
import { describeSharedRedis } from "../support/redis/run.ts";
import { eventually } from "../support/redis/wait.ts";

const EMBEDDER: EmbedderIdentity = { provider: "test", model: "random", dimension: VECTOR_DIMENSION };
const COUNT = 300;
const scope = { tenant: "t", namespace: "n" };
const filter = { states: ["ACTIVE" as const], userId: "ana" };

await describeSharedRedis("a search index dropped by another client", ({ url }) => {
  it("is recreated on the next search, and memories are found all the time", async () => {
    await using redis = await openTestRedis(url, { embedder: EMBEDDER });
    const { memories, indexes } = redis.backend;
    const items = Array.from({ length: COUNT }, (_, at) =>
      newMemory(
        { id: `m${at}`, text: `word${at}`, userId: at % 2 === 0 ? "ana" : "bo" },
        { vector: vectorOf(at) },
      ),
    );
    await memories.writer.create(scope, items, { now: NOW });
    const read = async () => {
      const query = { vector: vectorOf(42), terms: ["word42"], filter, limit: 5 };
      const {
        byVector: nearest,
        byKeyword: containing,
        corpus,
      } = await memories.search.search(scope, query, NOW);
      return {
        nearest: nearest.map(({ id, similarity }) => [id, similarity.toFixed(4)]),
        containing: containing.map(({ id }) => id),
        corpus,
        listed: (await memories.reader.list(scope, { filter, limit: 3, now: NOW })).map(({ id }) => id),
        count: await memories.reader.count(scope, filter, NOW),
      };
    };
    const before = await read();
    expect(before.count).toBe(COUNT / 2);
    using client = connectTo(url);
    await client.call("FT.DROPINDEX", `${redis.name}:memories:1`);
    expect(await read()).toEqual(before);
    await eventually("the index", async () =>
      (await indexes.info()).some(
        ({ content, documentCount }) => content === "MEMORIES" && documentCount === COUNT,
      ),
    );
    expect(await read()).toEqual(before);
  });

  it("of the cache makes semantic lookups fail as retryable until it is rebuilt", async () => {
    await using redis = await openTestRedis(url, { embedder: EMBEDDER });
    const { cache } = redis.backend;
    await cache.put(scope, cacheEntry({ id: "e1" }), { now: NOW, maxEntries: 10, vector: vectorOf(1) });
    const nearest = () =>
      findNearest(cache, scope, { fingerprint: "f1", vector: vectorOf(1), limit: 1 }, NOW);
    expect((await nearest()).map(({ entry }) => entry.id)).toEqual(["e1"]);
    using client = connectTo(url);
    await client.call("FT.DROPINDEX", `${redis.name}:cache:1`);
    expect(await reasonOf(nearest())).toBe("STORE_UNAVAILABLE");
    await eventually("the index", async () => (await reasonOf(nearest())) === undefined);
    expect((await nearest()).map(({ entry }) => entry.id)).toEqual(["e1"]);
  });
});
