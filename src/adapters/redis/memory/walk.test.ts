import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { NOW, newMemory, unitVector } from "../../../../test/support/builders.ts";
import { quiet } from "../../../../test/support/quiet.ts";
import { randomFilter } from "../../../../test/support/random-filters.ts";
import { pick, randomMemory } from "../../../../test/support/random-memories.ts";
import { sharedRedisUrl } from "../../../../test/support/redis/run.ts";
import {
  type RedisSandbox,
  type RedisStores,
  redisSandbox,
} from "../../../../test/support/redis-memories.ts";
import { referenceStores } from "../../../../test/support/reference/backend.ts";
import { seededInteger } from "../../../../test/support/scale.ts";
import { EVERY_STATE } from "../../../domain/memory/filter.ts";
import { Namespaces } from "../namespaces/namespace-ids.ts";
import { MemoryAccesses } from "./access-counts.ts";
import { MemoryPages } from "./pages.ts";
import { MemoryWalk } from "./walk.ts";

const URL = await sharedRedisUrl();
const DIMENSION = 8;
const MODEL = { provider: "test", model: "test", dimension: DIMENSION };

describe.skipIf(URL === "")("a search that reads the whole namespace", () => {
  const scope = { tenant: "t", namespace: "n" };
  const integer = seededInteger(5);
  const random = () => integer(2 ** 30) / 2 ** 30;
  const words = ["tea", "cup", "寿司", "rain"];
  const memories = Array.from({ length: 450 }, (_, at) => {
    // No expired memory: when it is swept, statistics change.
    const { expireTime: _end, ...memory } = randomMemory(random, `m${at}`);
    return memory;
  });
  const items = memories.map((memory, at) =>
    newMemory(memory, {
      onDuplicate: "ALLOW",
      terms: words.filter(() => random() < 0.4),
      ...(random() < 0.7 ? { vector: unitVector(at, DIMENSION) } : {}),
    }),
  );
  const reference = referenceStores().memories;
  let sandbox: RedisSandbox;
  let stores: RedisStores;
  let accesses: MemoryAccesses;
  let walk: MemoryWalk;
  beforeAll(async () => {
    sandbox = redisSandbox(URL, MODEL);
    stores = await sandbox.open();
    const namespaces = new Namespaces(stores.client, sandbox.keys);
    accesses = new MemoryAccesses(namespaces, quiet.log);
    walk = new MemoryWalk(namespaces, new MemoryPages(namespaces, stores.model, accesses), stores.model);
    for (const store of [reference, stores.memories]) {
      for (let at = 0; at < items.length; at += 150) {
        await store.writer.create(scope, items.slice(at, at + 150), { now: NOW });
      }
    }
    const used = memories.filter(() => random() < 0.5).map(({ id }) => id);
    for (const counting of [reference.accessCounts.add, accesses.add.bind(accesses)]) {
      counting(scope, used.slice(0, 100), NOW - 10);
      counting(scope, used, NOW);
    }
  });
  afterAll(async () => {
    await accesses[Symbol.asyncDispose]();
    await stores[Symbol.asyncDispose]();
    await sandbox[Symbol.asyncDispose]();
  });

  it("finds the same as the reference, with any filter", async () => {
    let found = 0;
    for (let round = 0; round < 40; round += 1) {
      const filter = round === 0 ? EVERY_STATE : randomFilter(random, pick(random, memories));
      const query = { filter, vector: unitVector(round, DIMENSION), model: MODEL, terms: words, limit: 1000 };
      const expected = await reference.search.search(scope, query, NOW);
      const { byVector: nearest, byKeyword: containing, corpus, plan } = await walk.search(scope, query, NOW);
      found += nearest.length;
      expect({ filter, nearest, corpus }).toEqual({
        filter,
        nearest: expected.byVector,
        corpus: expected.corpus,
      });
      expect({ filter, plan }).toEqual({ filter, plan: expected.plan });
      const sorted = (candidates: typeof containing) => candidates.toSorted((a, b) => (a.id < b.id ? -1 : 1));
      expect(sorted(containing)).toEqual(sorted(expected.byKeyword));
    }
    expect(found).toBeGreaterThan(500);
  });

  it("returns the best matches when there are more than the limit", async () => {
    const query = { filter: EVERY_STATE, vector: unitVector(1, DIMENSION), terms: words, limit: 1000 };
    const all = await walk.search(scope, query, NOW);
    for (const limit of [1, 3, 50]) {
      const some = await walk.search(scope, { ...query, limit }, NOW);
      expect(some.byVector).toEqual(all.byVector.slice(0, limit));
      expect(some.byKeyword).toEqual(all.byKeyword.slice(0, limit));
    }
  });

  it("skips memories with a very common term alone", async () => {
    const many = { tenant: "t", namespace: "many" };
    const made = Array.from({ length: 1050 }, (_, at) =>
      newMemory(
        { id: `m${at}` },
        { terms: ["common", ...(at % 350 === 0 ? ["rare", ...Array(at / 350).fill("common")] : [])] },
      ),
    );
    for (let at = 0; at < made.length; at += 150) {
      await stores.memories.writer.create(many, made.slice(at, at + 150), { now: NOW });
    }
    const terms = ["rare", "common"];
    const found = async (limit: number) => {
      const { byKeyword: containing, plan } = await walk.search(
        many,
        { filter: EVERY_STATE, terms, limit },
        NOW,
      );
      return { ids: containing.map(({ id }) => id), plan };
    };
    expect(await found(1000)).toMatchObject({
      ids: ["m0", "m350", "m700"],
      plan: { terms: ["rare"], commonTerms: ["common"] },
    });
    expect((await found(2)).ids).toEqual(["m0", "m350"]);
  });

  it("compares no vector with those of another model", async () => {
    const query = { filter: EVERY_STATE, vector: unitVector(1, DIMENSION), limit: 5 };
    await expect(walk.search(scope, { ...query, model: { ...MODEL, model: "old" } }, NOW)).rejects.toThrow(
      "another model",
    );
    // Another process changes the model.
    const { meta } = sandbox.keys.partition(0);
    await stores.client.command(
      "HSET",
      meta,
      "generation",
      2,
      "model",
      JSON.stringify({ ...MODEL, model: "new" }),
    );
    await expect(walk.search(scope, { ...query, model: MODEL }, NOW)).rejects.toThrow("another model");
  });
});
