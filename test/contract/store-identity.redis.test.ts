import { describe, expect, it } from "vitest";
import { openRedisBackend } from "../../src/adapters/redis/backend.ts";
import { repairReembedding } from "../../src/adapters/redis/embedding/reembedding-repair.ts";
import { claimModel } from "../../src/adapters/redis/indexes/claim-model.ts";
import { ReembeddingRecords } from "../../src/adapters/redis/indexes/reembedding-record.ts";
import { claimPartitions } from "../../src/adapters/redis/namespaces/metadata.ts";
import { connectionOf } from "../../src/app/redis-connection.ts";
import type { Backend } from "../../src/ports/backend.ts";
import type { EmbedderIdentity } from "../../src/ports/embedding/embedder.ts";
import { cacheEntry, memory, NOW, newMemory } from "../support/builders.ts";
import { quiet } from "../support/quiet.ts";
import { openTestRedis, removeAll, settingsOf, type TestRedis } from "../support/redis/backend.ts";
import { connectTo } from "../support/redis/client.ts";
import { sharedRedisUrl } from "../support/redis/run.ts";
import { HNSW } from "../support/redis-cache.ts";
import { redisSandbox } from "../support/redis-memories.ts";
import { reasonOf, VECTOR_DIMENSION, vectorOf } from "./store-under-test.ts";

const url = await sharedRedisUrl();
const MODEL: EmbedderIdentity = { provider: "contract", model: "random", dimension: VECTOR_DIMENSION };
const OTHER: EmbedderIdentity = { ...MODEL, model: "another" };
const READY = { state: "READY", ...MODEL, truncated: false } as const;
const scope = { tenant: "t", namespace: "n" };

/** A log that records messages at ERROR. */
function operatorLog() {
  const errors: string[] = [];
  const error = (_fields: object, message: string): void => void errors.push(message);
  return { errors, log: { ...quiet.log, error } };
}

/** One more process on the same store. */
async function beside({ name }: TestRedis, log: ReturnType<typeof operatorLog>["log"]): Promise<Backend> {
  return openRedisBackend({
    connection: await connectionOf(settingsOf(url)),
    prefix: `${name}:`,
    partitions: 1,
    indexes: { memories: `${name}:memories`, cache: `${name}:cache` },
    vectors: HNSW,
    embedder: MODEL,
    log,
    metrics: quiet.metrics,
  });
}

describe.skipIf(url === "")("the identity of a store", () => {
  it("counts each acknowledged change", async () => {
    await using redis = await openTestRedis(url, { embedder: MODEL });
    const { memories, cache, namespaces } = redis.backend;
    using client = connectTo(url);
    const count = async () => Number(await client.hget(`${redis.name}:{p00}:meta`, "changes"));
    const first = newMemory({ id: "m1", embedding: READY }, { vector: vectorOf(1) });
    const { onDuplicate: _, ...imported } = newMemory({ id: "m2" });
    const options = { now: NOW };
    const changes: readonly [string, () => Promise<unknown>][] = [
      ["create", () => memories.writer.create(scope, [first, newMemory({ id: "m3" })], options)],
      ["import", () => memories.importer.import(scope, [imported], options)],
      [
        "replace",
        () =>
          memories.writer.replace(
            scope,
            first.memory.etag,
            { ...first, memory: memory({ id: "m1", etag: "e2" }) },
            options,
          ),
      ],
      ["delete", () => memories.writer.delete(scope, "m1", options)],
      ["purge", () => memories.purge.run(scope, { states: ["ACTIVE"] }, options)],
      ["put", () => cache.put(scope, cacheEntry({ id: "e1" }), { ...options, maxEntries: 10 })],
      ["delete an entry", () => cache.delete(scope, "e1", options)],
      ["delete namespace", () => namespaces.delete(scope, options)],
    ];
    let before = await count();
    for (const [name, change] of changes) {
      await change();
      const now = await count();
      expect(now, name).toBeGreaterThan(before);
      before = now;
    }
  });

  it("is looked at in one round trip that changes nothing", async () => {
    const { errors, log } = operatorLog();
    await using redis = await openTestRedis(url, { embedder: MODEL, log });
    using client = connectTo(url);
    const before = await client.hgetall(`${redis.name}:{p00}:meta`);
    await Promise.all([redis.backend.check(), redis.backend.check()]);
    expect(await client.hgetall(`${redis.name}:{p00}:meta`)).toEqual(before);
    expect(errors).toEqual([]);
  });

  it("detects an older state also when as many changes were made since", async () => {
    const [one, other] = [operatorLog(), operatorLog()];
    await using redis = await openTestRedis(url, { embedder: MODEL, log: one.log });
    await using second = await beside(redis, other.log);
    const { memories } = redis.backend;
    const write = (id: string) => memories.writer.create(scope, [newMemory({ id })], { now: NOW });
    for (const id of ["a", "b", "c"]) await write(id);
    await Promise.all([redis.backend.check(), second.check()]);
    using client = connectTo(url);
    await client.hset(`${redis.name}:{p00}:meta`, "changes", 1);
    await redis.backend.check();
    for (const id of ["d", "e", "f", "g"]) await write(id);
    await second.check();
    expect(one.errors).toEqual([expect.stringContaining("went back to an older state, of 1 changes")]);
    expect(other.errors).toEqual([expect.stringContaining("went back to an older state, of 5 changes")]);
  });

  it("that is another one after a re-embedding is claimed for the configured model, and listeners hear of both", async () => {
    const { errors, log } = operatorLog();
    await using redis = await openTestRedis(url, { embedder: MODEL, log });
    const { backend, name } = redis;
    const { reembedding, memories } = backend;
    const heard: string[] = [];
    reembedding.onCutOver(({ model }) => void heard.push(model));
    backend.onReplaced?.(() => heard.push("replaced"));
    await reembedding.start({ id: "r1", target: OTHER, now: NOW });
    expect(await reembedding.cutOver({ maxLeft: 0, now: NOW })).toBe(true);
    expect(reembedding.identity()).toEqual(OTHER);
    await backend.check();
    await removeAll(url, name);
    // Of the model that was there before: it waits for its vector.
    const item = newMemory({ id: "m1", embedding: { ...READY, ...OTHER } }, { vector: vectorOf(1) });
    const [created] = await memories.writer.create(scope, [item], { now: NOW });
    expect(created).toMatchObject({ kind: "created", memory: { embedding: { state: "PENDING" } } });
    expect(reembedding.identity()).toEqual(MODEL);
    expect(heard).toEqual([OTHER.model, MODEL.model, "replaced"]);
    expect(errors).toEqual([expect.stringContaining("replaced by an empty one")]);
  });

  it("is given to a store of an earlier version, whose vectors are found as before", async () => {
    const { errors, log } = operatorLog();
    await using redis = await openTestRedis(url, { embedder: MODEL, log });
    using client = connectTo(url);
    const key = `${redis.name}:{p00}:meta`;
    const item = newMemory({ id: "m1", embedding: READY }, { vector: vectorOf(1) });
    await redis.backend.memories.writer.create(scope, [item], { now: NOW });
    await redis.backend[Symbol.asyncDispose]();
    await client.hdel(key, "store", "changes", "attempts");
    await redis.reopen();
    await redis.backend.check();
    expect(await client.hget(key, "store")).toMatch(/^[0-9a-f]{32}$/);
    const query = { vector: vectorOf(1), model: MODEL, filter: { states: ["ACTIVE"] as const }, limit: 1 };
    const { byVector: nearest } = await redis.backend.memories.search.search(scope, query, NOW);
    expect(nearest.map(({ id }) => id)).toEqual(["m1"]);
    expect(errors).toEqual([]);
  });

  it("is not created for existing data without one", async () => {
    await using redis = await openTestRedis(url, { embedder: MODEL });
    await redis.backend.memories.writer.create(scope, [newMemory({ id: "m1" })], { now: NOW });
    await redis.backend[Symbol.asyncDispose]();
    using client = connectTo(url);
    const key = `${redis.name}:{p00}:meta`;
    const kept = await client.hgetall(key);
    await client.del(key);
    const opened = redis.reopen();
    await expect(opened).rejects.toThrow(`${key} is missing`);
    expect(await reasonOf(opened)).toBe("STORE_UNAVAILABLE");
    await client.del(key);
    await client.hset(key, kept);
    await redis.reopen();
    expect(await redis.backend.memories.reader.exist(scope, ["m1"], NOW)).toEqual([true]);
  });
});

describe.skipIf(url === "")("partitions of different stores", () => {
  it("are not served together, unless a change of the model is on its way from one to the other", async () => {
    await using sandbox = redisSandbox(url, MODEL, { partitions: 3 });
    await using stores = await sandbox.open();
    const { client, model } = stores;
    const claim = () => claimModel(client, sandbox.keys, { configured: MODEL, log: quiet.log });
    await client.command("HINCRBY", sandbox.keys.partition(2).meta, "generation", 1);
    await expect(claim()).rejects.toThrow("partition 2");
    const records = new ReembeddingRecords(client, sandbox.keys);
    const running = {
      id: "r1",
      source: MODEL,
      target: OTHER,
      state: "RUNNING",
      memoryCount: 0,
      startTime: NOW,
    } as const;
    await records.replace(undefined, { ...running, generation: model.generation + 1, listed: true });
    expect(await claim()).toEqual({ identity: MODEL, generation: model.generation });
  });

  it("take the model and the generation of the other partitions, and no field of an earlier re-embedding", async () => {
    await using sandbox = redisSandbox(url, MODEL, { partitions: 3 });
    await using stores = await sandbox.open();
    const { client, model } = stores;
    const [first, second] = sandbox.keys.all();
    await client.command("HINCRBY", first.meta, "attempts", 7);
    await client.command("HSET", second?.meta ?? "", "next", "{}");
    await client.command("DEL", first.meta);
    await claimPartitions(client, sandbox.keys);
    await model.claimAgain(quiet.log);
    await repairReembedding(client, sandbox.keys);
    const fields = await client.command("HMGET", first.meta, "generation", "attempts");
    const [generation, attempts] = (fields as Buffer[]).map(Number);
    expect(generation).toBe(model.generation);
    expect(attempts).toBeGreaterThan(model.generation + 7);
    expect(await client.command("HEXISTS", second?.meta ?? "", "next")).toBe(0);
  });

  it("are prepared again for a re-embedding that is under way", async () => {
    await using sandbox = redisSandbox(url, MODEL, { partitions: 2 });
    await using stores = await sandbox.open();
    const { client } = stores;
    const records = new ReembeddingRecords(client, sandbox.keys);
    const running = {
      id: "r1",
      source: MODEL,
      target: OTHER,
      state: "RUNNING",
      memoryCount: 0,
      startTime: NOW,
    } as const;
    await records.replace(undefined, { ...running, generation: 2, listed: true });
    await repairReembedding(client, sandbox.keys);
    expect((await records.read())?.listed).toBe(false);
    await repairReembedding(client, sandbox.keys);
    expect((await records.read())?.listed).toBe(false);
  });
});
