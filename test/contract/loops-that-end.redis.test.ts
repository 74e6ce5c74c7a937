import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { RedisCacheStore } from "../../src/adapters/redis/cache/store.ts";
import type { RedisClient, Reply } from "../../src/adapters/redis/connection/client.ts";
import type { Script } from "../../src/adapters/redis/connection/script.ts";
import { RedisEmbeddingQueue } from "../../src/adapters/redis/embedding/queue.ts";
import { Namespaces } from "../../src/adapters/redis/namespaces/namespace-ids.ts";
import { ModelChanged } from "../../src/domain/embedding/identity.ts";
import { ACTIVE_ONLY } from "../../src/domain/memory/filter.ts";
import { Listeners } from "../../src/lib/listeners.ts";
import type { Memories } from "../../src/ports/memory/memories.ts";
import { cacheEntry, memory, NOW, newMemory } from "../support/builders.ts";
import { findEntry, findNearest } from "../support/cache-lookups.ts";
import { quiet } from "../support/quiet.ts";
import { sharedRedisUrl } from "../support/redis/run.ts";
import { HNSW } from "../support/redis-cache.ts";
import { type RedisSandbox, type RedisStores, redisSandbox } from "../support/redis-memories.ts";
import { reasonOf, VECTOR_DIMENSION, vectorOf } from "./store-under-test.ts";

const url = await sharedRedisUrl();
const MODEL = { provider: "contract", model: "random", dimension: VECTOR_DIMENSION };
const READY = { state: "READY", ...MODEL, truncated: false } as const;
const NAMES = { memories: "none", cache: "none" };

describe.skipIf(url === "")("a partition whose model is another one for ever", () => {
  let sandbox: RedisSandbox;
  let stores: RedisStores;
  /** In the second partition. */
  let scope = { tenant: "t", namespace: "" };
  beforeEach(async () => {
    sandbox = redisSandbox(url, MODEL, { partitions: 2 });
    stores = await sandbox.open();
    const names = Array.from({ length: 64 }, (_, at) => ({ tenant: "t", namespace: `n${at}` }));
    scope = names.find((one) => sandbox.keys.partitionOf(one) === 1) ?? scope;
    const pendingItem = newMemory({ id: "pending", embedding: { ...READY, state: "PENDING" } });
    const items = [newMemory({ id: "m1", embedding: READY }, { vector: vectorOf(1) }), pendingItem];
    await stores.memories.writer.create(scope, items, { now: NOW });
    await stores.client.command("HINCRBY", sandbox.keys.partition(1).meta, "generation", 1);
  });
  afterEach(async () => {
    await stores[Symbol.asyncDispose]();
    await sandbox[Symbol.asyncDispose]();
  });

  const fresh = newMemory({ id: "m2", embedding: READY }, { vector: vectorOf(2) });
  const { onDuplicate: _, ...imported } = fresh;
  const byMeaning = { vector: vectorOf(1), model: MODEL, limit: 3 };
  const accessed = { ...ACTIVE_ONLY, lastAccessTime: { end: NOW } };
  const writes: readonly [string, (store: Memories) => Promise<unknown>][] = [
    ["create", (store) => store.writer.create(scope, [fresh], { now: NOW })],
    ["import", (store) => store.importer.import(scope, [imported], { now: NOW })],
    [
      "replace",
      (store) =>
        store.writer.replace(scope, memory({ id: "m1" }).etag, newMemory({ id: "m1" }), { now: NOW }),
    ],
    ["a search that walks", (store) => store.search.search(scope, { ...byMeaning, filter: accessed }, NOW)],
  ];
  it.each(writes)("ends %s as unavailable", async (_name, call) => {
    expect(await reasonOf(call(stores.memories))).toBe("STORE_UNAVAILABLE");
  });

  it("ends a vector search and a read of vectors with ModelChanged", async () => {
    const search = stores.memories.search.search(scope, { ...byMeaning, filter: ACTIVE_ONLY }, NOW);
    await expect(search).rejects.toThrow(ModelChanged);
    await expect(stores.memories.search.vectors(scope, ["m1"], MODEL)).rejects.toThrow(ModelChanged);
  });

  it("ends a batch of the queue of embeddings, which then pauses", async () => {
    const { client, model } = stores;
    const namespaces = new Namespaces(client, sandbox.keys);
    const parts = { model, pendingAdded: new Listeners(), log: quiet.log };
    const pendingMemories = new RedisEmbeddingQueue(client, namespaces, parts);
    const [pending] = await pendingMemories.pending({ limit: 1, maxBytes: 1000, skip: 0, now: NOW });
    expect(pending?.id).toBe("pending");
    const outcome = { vector: vectorOf(3), truncated: false, identity: MODEL };
    const settled = [{ scope, id: "pending", etag: pending?.etag ?? "", outcome }];
    expect(await reasonOf(pendingMemories.settle(settled, { identity: MODEL, now: NOW }))).toBe(
      "STORE_UNAVAILABLE",
    );
  });

  it("stores an answer without its vector, and makes lookups by meaning miss", async () => {
    const { cache } = stores;
    const options = { now: NOW, maxEntries: 10, vector: vectorOf(1), model: MODEL };
    await cache.put(scope, cacheEntry({ id: "e1" }), options);
    expect((await findEntry(cache, scope, "e1", NOW))?.id).toBe("e1");
    expect(await findNearest(cache, scope, { fingerprint: "f1", ...byMeaning }, NOW)).toEqual([]);
  });
});

describe.skipIf(url === "")("a Redis that never answers with an end", () => {
  let sandbox: RedisSandbox;
  let stores: RedisStores;
  const scope = { tenant: "t", namespace: "n" };
  beforeEach(async () => {
    sandbox = redisSandbox(url, MODEL);
    stores = await sandbox.open();
  });
  afterEach(async () => {
    await stores[Symbol.asyncDispose]();
    await sandbox[Symbol.asyncDispose]();
  });

  /** A client whose scripts all reply with `answer`; other commands find a new namespaceId each time. */
  const answering = (answer: () => Reply) => {
    const calls = { scripts: 0 };
    let numbers = 0;
    const number = (): Buffer => {
      numbers += 1;
      return Buffer.from(`number-${numbers}`);
    };
    const client = {
      run: async (script: Script<never, unknown>) => {
        calls.scripts += 1;
        return script.decode(answer());
      },
      command: async () => number(),
      pipeline: async (commands: readonly unknown[]) => commands.map(number),
    } as unknown as RedisClient;
    return { client, calls, number };
  };
  const cacheOn = (client: RedisClient): RedisCacheStore =>
    new RedisCacheStore(client, new Namespaces(client, sandbox.keys), {
      model: stores.model,
      indexes: NAMES,
      vectors: HNSW,
      missing: () => undefined,
      ...quiet,
    });
  const put = (cache: RedisCacheStore) =>
    cache.put(scope, cacheEntry({ id: "e1" }), { now: NOW, maxEntries: 1 });

  it("ends where the namespace is another one each time", async () => {
    const { client, number, calls } = answering(() => [Buffer.from("STALE"), number()]);
    const namespaces = new Namespaces(client, sandbox.keys);
    expect(await reasonOf(put(cacheOn(client)))).toBe("STORE_UNAVAILABLE");
    expect(calls.scripts).toBe(10);
    expect(await reasonOf(namespaces.pipeline(scope, () => [["PING"]]))).toBe("STORE_UNAVAILABLE");
    // A read of an entry replies with the namespaceId instead.
    const reads = answering(() => [Buffer.from("1"), [null], [0], [reads.number()]]);
    const cache = cacheOn(reads.client);
    expect(await reasonOf(findEntry(cache, scope, "e1", NOW))).toBe("STORE_UNAVAILABLE");
    const nearest = findNearest(cache, scope, { fingerprint: "f", vector: vectorOf(1), limit: 1 }, NOW);
    expect(await reasonOf(nearest)).toBe("STORE_UNAVAILABLE");
  });

  it("ends where the model is another one each time, also without a vector", async () => {
    const { client } = answering(() => [Buffer.from("MODEL")]);
    expect(await reasonOf(put(cacheOn(client)))).toBe("STORE_UNAVAILABLE");
  });

  it("ends where there is always more to remove", async () => {
    const { client } = answering(() => [Buffer.from("AGAIN"), 0]);
    const cache = cacheOn(client);
    expect(await reasonOf(put(cache))).toBe("STORE_UNAVAILABLE");
    expect(await reasonOf(cache.stats(scope, NOW))).toBe("STORE_UNAVAILABLE");
  });
});
