import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { numberOf } from "../../../src/adapters/redis/connection/replies.ts";
import { RedisReembeddingStore } from "../../../src/adapters/redis/embedding/reembedding-store.ts";
import { claimModel, jsonOf } from "../../../src/adapters/redis/indexes/claim-model.ts";
import { Namespaces } from "../../../src/adapters/redis/namespaces/namespace-ids.ts";
import type { NamespaceKey } from "../../../src/domain/access/tenancy.ts";
import { vectorToBytes } from "../../../src/domain/embedding/vector.ts";
import { Listeners } from "../../../src/lib/listeners.ts";
import { NOW, newMemory } from "../../support/builders.ts";
import { quiet } from "../../support/quiet.ts";
import { sharedRedisUrl } from "../../support/redis/run.ts";
import { HNSW } from "../../support/redis-cache.ts";
import { type RedisSandbox, type RedisStores, redisSandbox } from "../../support/redis-memories.ts";
import { VECTOR_DIMENSION, vectorOf } from "../store-under-test.ts";

const url = await sharedRedisUrl();
const MODEL = { provider: "contract", model: "random", dimension: VECTOR_DIMENSION };
const TARGET = { ...MODEL, model: "another" };
const READY = { state: "READY", ...MODEL, truncated: false } as const;

describe.skipIf(url === "")("a change of the model that has reached only the first partition", () => {
  let sandbox: RedisSandbox;
  let stores: RedisStores;
  let reembedding: RedisReembeddingStore;
  /** One in each partition, with one memory. */
  let scopes: readonly [NamespaceKey, NamespaceKey];
  beforeEach(async () => {
    sandbox = redisSandbox(url, MODEL, { partitions: 2 });
    stores = await sandbox.open();
    const { client, model, memories } = stores;
    const { keys } = sandbox;
    const { root } = keys.partition(0);
    const name = root.slice(0, root.indexOf(":{"));
    reembedding = new RedisReembeddingStore({
      client,
      keys,
      namespaces: new Namespaces(client, keys),
      model,
      pendingAdded: new Listeners(),
      names: { memories: `${name}:memories`, cache: `${name}:cache` },
      vectors: HNSW,
      log: quiet.log,
    });
    const all = Array.from({ length: 64 }, (_, at) => ({ tenant: "t", namespace: `n${at}` }));
    const scopeIn = (number: number): NamespaceKey => {
      const found = all.find((one) => keys.partitionOf(one) === number);
      if (found === undefined) throw new Error("no name lies there");
      return found;
    };
    scopes = [scopeIn(0), scopeIn(1)];
    for (const [at, scope] of scopes.entries()) {
      const item = newMemory({ id: `m${at}`, embedding: READY }, { vector: vectorOf(at) });
      await memories.writer.create(scope, [item], { now: NOW });
    }
    await reembedding.start({ id: "r1", target: TARGET, now: NOW });
  });
  afterEach(async () => {
    await stores[Symbol.asyncDispose]();
    await sandbox[Symbol.asyncDispose]();
  });

  const pending = () => reembedding.work.pending({ limit: 10, maxBytes: 1e9, skip: 0, now: NOW });
  /** The memory with number 0 gets the vector of seed 100, the next one that of 101. */
  const settleAll = async (): Promise<readonly string[]> => {
    const left = await pending();
    for (const one of left) {
      const outcome = { vector: vectorOf(100 + Number(one.id.slice(1))), truncated: false };
      await reembedding.work.settle([{ ...one, outcome }], { identity: TARGET, now: NOW });
    }
    return left.map(({ id }) => id);
  };
  const cutOver = () => reembedding.cutOver({ maxLeft: 0, now: NOW });
  const expectAllNew = async () => {
    // Steps of a clean-up are as many as it takes.
    for (let left = 100; left > 0 && (await reembedding.cleanUp()); ) left -= 1;
    for (const [at, scope] of scopes.entries()) {
      expect(await stores.memories.search.vectors(scope, [`m${at}`], TARGET)).toEqual([vectorOf(100 + at)]);
      const query = {
        vector: vectorOf(100 + at),
        model: TARGET,
        filter: { states: ["ACTIVE"] as const },
        limit: 1,
      };
      const { byVector: nearest } = await stores.memories.search.search(scope, query, NOW);
      expect(nearest.map(({ id }) => id)).toEqual([`m${at}`]);
    }
  };
  const generationOf = async (number: number) =>
    numberOf(await stores.client.command("HGET", sandbox.keys.partition(number).meta, "generation"));

  it("continues where it stopped, and removes only the old vectors", async () => {
    const { client, model } = stores;
    await settleAll();
    // As a process leaves it that ends in between, and as the next one finds it.
    const { meta } = sandbox.keys.partition(0);
    const next = model.generation + 1;
    await client.command("HSET", meta, "model", jsonOf(TARGET), "generation", next);
    await client.command("HDEL", meta, "next");
    await model.refresh();
    expect(model.generation).toBe(next);
    expect(await cutOver()).toBe(true);
    expect(await generationOf(1)).toBe(next);
    await expectAllNew();
  });

  it("is repeated when a partition has gone back to a state before it", async () => {
    const { client, model } = stores;
    const old = model.generation;
    await settleAll();
    expect(await cutOver()).toBe(true);
    await expectAllNew();

    const partition = sandbox.keys.partition(1);
    await client.command("HSET", partition.meta, "model", jsonOf(MODEL), "generation", old);
    const number = String(Object.values(await namesOf(partition.namespaces))[0]);
    const key = partition.namespace(number).memory("m1");
    await client.command("HDEL", key, `v${model.generation}`);
    await client.command("HSET", key, `v${old}`, Buffer.from(vectorToBytes(vectorOf(1))));

    await claimModel(client, sandbox.keys, { configured: TARGET, log: quiet.log });
    expect((await reembedding.latest())?.state).toBe("RUNNING");
    expect(await settleAll()).toEqual(["m1"]);
    expect(await cutOver()).toBe(true);
    expect(await generationOf(1)).toBe(model.generation);
    expect((await reembedding.latest())?.state).toBe("DONE");
    await expectAllNew();
  });

  async function namesOf(key: string): Promise<Record<string, string>> {
    const pairs = (await stores.client.command("HGETALL", key)) as readonly Buffer[];
    return { [String(pairs[0])]: String(pairs[1]) };
  }
});
