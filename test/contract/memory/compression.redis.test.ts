import type { Redis } from "ioredis";
import { describe, expect, it } from "vitest";
import { ACTIVE_ONLY } from "../../../src/domain/memory/filter.ts";
import type { Backend } from "../../../src/ports/backend.ts";
import type { EmbedderIdentity } from "../../../src/ports/embedding/embedder.ts";
import { cacheEntry, memory, NOW, newMemory } from "../../support/builders.ts";
import { findEntry, findNearest } from "../../support/cache-lookups.ts";
import { openTestRedis, type TestRedis } from "../../support/redis/backend.ts";
import { connectTo } from "../../support/redis/client.ts";
import { describeSharedRedis } from "../../support/redis/run.ts";
import { LONG_RUN } from "../../support/scale.ts";
import { cacheStoreContract } from "../cache/cache-store.ts";
import { compactionStoreContract } from "../compaction/compaction-store.ts";
import { MAX_REVISIONS, type StoreUnderTest, VECTOR_DIMENSION, vectorOf } from "../store-under-test.ts";
import { memoriesContract } from "./memories.ts";

const CONTRACT: EmbedderIdentity = { provider: "contract", model: "random", dimension: VECTOR_DIMENSION };
const LONG = "Ana is allergic to nuts, and Ben is not. ".repeat(100);
const SCOPE = { tenant: "t", namespace: "n" };

await describeSharedRedis("on Redis with REDIS_COMPRESSION", ({ url }) => {
  // Everything that gets shorter by it.
  cacheStoreContract("redis, compressed", () => open(({ cache }) => cache));
  compactionStoreContract("redis, compressed", () => open((backend) => backend));
  // The same tests as without it, in which little reads a record: make test has those below.
  if (LONG_RUN) memoriesContract("redis, compressed", () => open(({ memories }) => memories));

  async function open<Store>(storeOf: (backend: Backend) => Store): Promise<StoreUnderTest<Store>> {
    const opened = await openTestRedis(url, {
      embedder: CONTRACT,
      compressFrom: 1,
      maxRevisions: MAX_REVISIONS,
    });
    return {
      get store() {
        return storeOf(opened.backend);
      },
      reopen: () => opened.reopen(),
      [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
    };
  }

  describe("long texts", () => {
    it("are stored by the setting of that time, and read whatever it is now", async () => {
      await using redis = await openTestRedis(url, { embedder: CONTRACT });
      await write(redis.backend, "plain");
      await redis.reopen({ compressFrom: 1024 });
      await write(redis.backend, "packed");
      expect(await firstBytes(redis)).toEqual({
        "memory plain": "{",
        "entry plain": "{",
        "memory packed": "\u0001",
        "entry packed": "\u0001",
      });
      for (const compressFrom of [1024, undefined]) {
        await redis.reopen({ compressFrom });
        for (const id of ["plain", "packed"]) await expectStored(redis.backend, id);
      }
    });

    it("that are damaged are STORE_CORRUPT with what they are of, and no harm to others", async () => {
      await using redis = await openTestRedis(url, { embedder: CONTRACT, compressFrom: 1024 });
      await write(redis.backend, "whole");
      await write(redis.backend, "cut");
      // Cached memories would not be read again.
      await redis.reopen();
      await cutRecords(redis, "cut");
      const { memories, cache } = redis.backend;
      const calls: [what: string, call: () => unknown][] = [
        ["memory cut", () => memories.reader.get(SCOPE, ["whole", "cut"], NOW)],
        ["memory cut", () => memories.reader.list(SCOPE, { filter: ACTIVE_ONLY, limit: 5, now: NOW })],
        ["cache entry cut", () => findEntry(cache, SCOPE, "cut", NOW)],
        ["cache entry cut", () => nearest(redis.backend, "cut")],
        ["cache entry cut", () => cache.list(SCOPE, { limit: 5, maxBytes: 1e6, now: NOW })],
      ];
      for (const [damaged, call] of calls) {
        const error = { reason: "STORE_CORRUPT", detail: { metadata: { damaged } } };
        await expect((async () => call())()).rejects.toMatchObject(error);
      }
      await expectStored(redis.backend, "whole");
    });
  });
});

const longMemory = (id: string) => ({ id, text: `${id}: ${LONG}` });
const longEntry = (id: string) => cacheEntry({ id, response: LONG, fingerprint: id });

/** A memory and an answer, with texts that are worth it. */
async function write({ memories, cache }: Backend, id: string): Promise<void> {
  await memories.writer.create(SCOPE, [newMemory(longMemory(id))], { now: NOW });
  await cache.put(SCOPE, longEntry(id), { vector: vectorOf(1), model: CONTRACT, maxEntries: 100, now: NOW });
}

async function expectStored(backend: Backend, id: string): Promise<void> {
  const { memories, cache } = backend;
  expect(await memories.reader.get(SCOPE, [id], NOW)).toEqual([memory(longMemory(id))]);
  const entry = longEntry(id);
  expect((await nearest(backend, id)).map((one) => one.entry)).toEqual([entry]);
  expect(await findEntry(cache, SCOPE, id, NOW)).toEqual(entry);
}

function nearest({ cache }: Backend, fingerprint: string): ReturnType<typeof findNearest> {
  return findNearest(cache, SCOPE, { fingerprint, vector: vectorOf(1), model: CONTRACT, limit: 3 }, NOW);
}

/** The stored keys, by type. */
async function recordsOf(client: Redis, { name }: TestRedis): Promise<Map<string, string>> {
  const keys = new Map<string, string>();
  for (const key of await client.keys(`${name}:*`)) {
    if ((await client.type(key)) !== "hash" || (await client.hexists(key, "rec")) === 0) continue;
    const what = (await client.hexists(key, "tok")) === 1 ? "memory" : "entry";
    keys.set(`${what} ${key.slice(key.lastIndexOf(":") + 1)}`, key);
  }
  return keys;
}

async function firstBytes(redis: TestRedis): Promise<Record<string, string>> {
  using client = connectTo(redis.url);
  const first: Record<string, string> = {};
  for (const [what, key] of await recordsOf(client, redis)) {
    first[what] = String((await client.hgetBuffer(key, "rec"))?.subarray(0, 1));
  }
  return first;
}

async function cutRecords(redis: TestRedis, id: string): Promise<void> {
  using client = connectTo(redis.url);
  const keys = await recordsOf(client, redis);
  for (const what of ["memory", "entry"]) {
    const key = keys.get(`${what} ${id}`) ?? "";
    const record = await client.hgetBuffer(key, "rec");
    await client.hset(key, "rec", record?.subarray(0, -1) ?? "");
  }
}
