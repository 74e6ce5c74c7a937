import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ACTIVE_ONLY } from "../../../src/domain/memory/filter.ts";
import { type Memory, recordOf, type StoredMemory } from "../../../src/domain/memory/memory.ts";
import { memory, NOW, newMemory } from "../../support/builders.ts";
import { sharedRedisUrl } from "../../support/redis/run.ts";
import { type RedisSandbox, type RedisStores, redisSandbox } from "../../support/redis-memories.ts";
import { openCountedWay } from "../../support/redis-trips.ts";
import { VECTOR_DIMENSION, vectorOf } from "../store-under-test.ts";

const url = await sharedRedisUrl();
const MODEL = { provider: "contract", model: "random", dimension: VECTOR_DIMENSION };
const READY = { state: "READY", ...MODEL, truncated: false } as const;
const SCOPE = { tenant: "t", namespace: "n" };
const IDS = ["m0", "m1", "m2"];

const create = ({ memories }: RedisStores, given: Partial<Memory>) =>
  memories.writer.create(SCOPE, [newMemory({ embedding: READY, ...given }, { vector: vectorOf(1) })], {
    now: NOW,
  });

describe.skipIf(url === "")("a memory in Redis that was read before", () => {
  let sandbox: RedisSandbox;
  let stores: RedisStores;
  /** Another process. */
  let other: RedisStores;
  beforeEach(async () => {
    sandbox = redisSandbox(url, MODEL);
    stores = await sandbox.open();
    other = await sandbox.open();
  });
  afterEach(async () => {
    await other[Symbol.asyncDispose]();
    await stores[Symbol.asyncDispose]();
    await sandbox[Symbol.asyncDispose]();
  });

  const read = async (id = "m1"): Promise<StoredMemory> => {
    const [found] = await stores.memories.reader.get(SCOPE, [id], NOW);
    if (found === undefined) throw new Error(`${id} is not there`);
    return found;
  };
  const field = async (name: string, value: string) => {
    const partition = sandbox.keys.partition(0);
    const number = String(await other.client.command("HGET", partition.namespaces, "t:n"));
    await other.client.command("HSET", partition.namespace(number).memory("m1"), name, value);
  };

  it("is the same object as long as nothing has changed but how often it was read", async () => {
    await create(stores, { id: "m1" });
    const first = await read();
    expect(await read()).toBe(first);
    stores.memories.accessCounts.add(SCOPE, ["m1"], NOW);
    const counted = await read();
    expect(counted.access).toEqual({ accessCount: 1, lastAccessTime: NOW });
    expect(recordOf(counted)).toEqual(first);
    // Its record was not read again.
    expect(counted.metadata).toBe(first.metadata);
  });

  it("has the changes of another process", async () => {
    await create(stores, { id: "m1", text: "before" });
    const { etag } = await read();
    const changed = memory({ id: "m1", text: "after", embedding: READY });
    await other.memories.writer.replace(SCOPE, etag, newMemory(changed, { vector: vectorOf(2) }), {
      now: NOW,
    });
    expect(await read()).toEqual(changed);
  });

  it("is the new one when it was deleted and created again, and missing when it was deleted", async () => {
    await create(stores, { id: "m1", text: "before" });
    const { etag } = await read();
    await other.memories.writer.delete(SCOPE, "m1", { etag, now: NOW });
    expect(await stores.memories.reader.get(SCOPE, ["m1"], NOW)).toEqual([undefined]);
    await create(other, { id: "m1", text: "after" });
    expect((await read()).text).toBe("after");
  });

  it("has its current embedding and position, although its etag is the same", async () => {
    await create(stores, { id: "m1" });
    const first = await read();
    await field("emb", JSON.stringify({ ...READY, truncated: true }));
    expect(await read()).toEqual({ ...first, embedding: { ...READY, truncated: true } });
    await field("pos", "7");
    expect((await read()).sessionPosition).toBe(7);
  });
});

describe.skipIf(url === "")("round trips of memories in Redis", () => {
  it("are one to read or write, and two for a search", async () => {
    await using way = await openCountedWay(url);
    await using sandbox = redisSandbox(way.url, MODEL);
    await using stores = await sandbox.open();
    const { memories } = stores;
    for (const [at, id] of IDS.entries()) {
      await memories.writer.create(
        SCOPE,
        [newMemory({ id, text: `word${at} shared`, embedding: READY }, { vector: vectorOf(at) })],
        { now: NOW },
      );
    }
    const search = () =>
      memories.search.search(
        SCOPE,
        { vector: vectorOf(1), model: MODEL, terms: ["word1", "shared"], filter: ACTIVE_ONLY, limit: 3 },
        NOW,
      );
    const get = () => memories.reader.get(SCOPE, IDS, NOW);
    const page = () => Promise.all([get(), memories.search.vectors(SCOPE, IDS, MODEL)]);
    const batch = (first: number) => () =>
      memories.writer.create(
        SCOPE,
        Array.from({ length: 100 }, (_, at) =>
          newMemory(
            { id: `b${first + at}`, text: `text ${first + at}`, embedding: READY },
            { vector: vectorOf(at) },
          ),
        ),
        { now: NOW },
      );
    // Once the process knows the scripts and how large everything is.
    const { cost } = way;
    for (const call of [search, page, batch(1000)]) await call();

    // Both retrievers, and the counters that verify the plan.
    expect(await cost(search)).toEqual({ trips: 1, commands: 3 });
    // Records of the page, and vectors of matches of the keyword retriever only.
    expect(await cost(page)).toEqual({ trips: 1, commands: 2 });
    expect(await cost(get)).toEqual({ trips: 1, commands: 1 });
    expect(await cost(batch(0))).toEqual({ trips: 1, commands: 1 });
  });
});
