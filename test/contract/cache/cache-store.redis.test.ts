import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { scopeToken } from "../../../src/adapters/redis/cache/entry-fields.ts";
import { invalidationNames, MAX_PENDING } from "../../../src/adapters/redis/cache/invalidation-names.ts";
import { vectorSchema } from "../../../src/adapters/redis/indexes/schema.ts";
import type { NamespaceRedisKeys } from "../../../src/adapters/redis/namespaces/keys.ts";
import { MAX_INVALIDATIONS } from "../../../src/domain/cache/invalidation.ts";
import { ModelChanged } from "../../../src/domain/embedding/identity.ts";
import { clampSimilarity, dot } from "../../../src/domain/embedding/vector.ts";
import { cacheEntry, DAY, NOW, seededRandom, unitVector } from "../../support/builders.ts";
import { findEntry, findNearest } from "../../support/cache-lookups.ts";
import { sharedRedisUrl } from "../../support/redis/run.ts";
import { HNSW, openRedisCache, type RedisCache } from "../../support/redis-cache.ts";
import { openCountedWay } from "../../support/redis-trips.ts";

const url = await sharedRedisUrl();
const DIMENSION = 20;
const IDENTITY = { provider: "test", model: "random", dimension: DIMENSION };
const SCOPE = { tenant: "t", namespace: "n" };
const BOUND = { maxEntries: 10_000, now: NOW };

describe.skipIf(url === "")("the cache on Redis", () => {
  let opened: RedisCache;
  beforeEach(async () => {
    opened = await openRedisCache(url, { identity: IDENTITY });
  });
  afterEach(() => opened[Symbol.asyncDispose]());

  const put = (
    id: string,
    options: Partial<Parameters<typeof opened.cache.put>[2]> = {},
    given: Parameters<typeof cacheEntry>[0] = {},
  ) => opened.cache.put(SCOPE, cacheEntry({ id, ...given }), { ...BOUND, ...options });
  const nearest = (seed: number, now = NOW, model = IDENTITY) =>
    findNearest(
      opened.cache,
      SCOPE,
      { fingerprint: "f1", vector: unitVector(seed, DIMENSION), model, limit: 3 },
      now,
    );
  const listed = async (query: Partial<Parameters<typeof opened.cache.list>[1]> = {}) =>
    (
      await opened.cache.list(SCOPE, {
        limit: 1000,
        maxBytes: Number.MAX_SAFE_INTEGER,
        now: NOW,
        ...query,
      })
    ).entries.map(({ id }) => id);
  const keysOf = async (): Promise<NamespaceRedisKeys> => {
    const partition = opened.keys.partition(0);
    return partition.namespace(String(await opened.client.command("HGET", partition.namespaces, "t:n")));
  };
  /** The keys of the entries' indexes and fields. */
  const sizesBeside = async () => {
    const keys = await keysOf();
    const { cacheOrder, cacheExpiry, cacheFields } = keys;
    return Promise.all([
      ...[cacheOrder, keys.cacheUses(), cacheExpiry].map((key) => opened.client.command("ZCARD", key)),
      opened.client.command("HLEN", cacheFields),
    ]);
  };

  describe("what Redis itself has removed", () => {
    const END = NOW + 1000;
    /** Ends a hundred entries, and removes half of them as a native TTL does. */
    const endSome = async (): Promise<void> => {
      const ids = Array.from({ length: 100 }, (_, index) => `e${index}`);
      for (const id of ids) await put(id, { vector: unitVector(1, DIMENSION) }, { expireTime: END });
      await put("stays");
      const keys = await keysOf();
      await opened.client.command("DEL", ...ids.slice(0, 50).map((id) => keys.cacheEntry(id)));
    };

    it("counts no more in anything, and leaves nothing behind", async () => {
      await endSome();
      const stats = await opened.cache.stats(SCOPE, END);
      expect(stats).toMatchObject({ entryCount: 1, stores: 101, evictions: 0 });
      await opened.cache.delete(SCOPE, "stays", { now: END });
      expect(await opened.cache.stats(SCOPE, END)).toMatchObject({ entryCount: 0, byteCount: 0 });
      expect(await sizesBeside()).toEqual([0, 0, 0, 0]);
      expect(await opened.client.command("HLEN", (await keysOf()).cacheSizes)).toBe(0);
    });

    it("does not count toward the bound, and is not found", async () => {
      await endSome();
      expect(await nearest(1, END)).toEqual([]);
      expect(await listed({ now: END })).toEqual(["stays"]);
      expect(await findEntry(opened.cache, SCOPE, "e1", END)).toBeUndefined();
      expect(await put("new", { now: END, maxEntries: 2 })).toMatchObject({ replaced: false, evicted: 0 });
    });

    it("can be put again", async () => {
      await endSome();
      expect(await put("e1", { now: END })).toMatchObject({ replaced: false });
      expect((await findEntry(opened.cache, SCOPE, "e1", END))?.id).toBe("e1");
    });

    it("is expired by Redis a minute after its expire time, whatever the time of the call", async () => {
      await put("e1", { now: NOW }, { expireTime: NOW + DAY });
      const left = Number(await opened.client.command("PTTL", (await keysOf()).cacheEntry("e1")));
      expect(left).toBeGreaterThan(DAY);
      expect(left).toBeLessThanOrEqual(DAY + 60_000);
    });
  });

  describe("much at once", () => {
    /** More than two calls of a script remove. */
    const MANY = 600;
    const fill = (given: Parameters<typeof cacheEntry>[0] = {}) =>
      Promise.all(
        Array.from({ length: MANY }, (_, index) =>
          put(`e${String(index).padStart(3, "0")}`, { now: NOW + index }, given),
        ),
      );

    it("is evicted down to the bound, expired entries first", async () => {
      await fill({ expireTime: NOW + 1000 });
      await put("stays", { now: NOW - 1 });
      const outcome = await put("new", { now: NOW + 1000, maxEntries: 2 });
      expect(outcome).toMatchObject({ replaced: false, evicted: 0 });
      expect(await listed({ now: NOW + 1000 })).toEqual(["stays", "new"]);
    });

    it("is evicted in order, and counted", async () => {
      await fill();
      const outcome = await put("new", { now: NOW + 1000, maxEntries: 3 });
      expect(outcome).toMatchObject({ replaced: false, evicted: MANY - 2 });
      expect(await listed()).toEqual(["new", "e599", "e598"]);
      expect(await opened.cache.stats(SCOPE, NOW)).toMatchObject({ entryCount: 3, evictions: MANY - 2 });
      expect(await sizesBeside()).toEqual([3, 3, 3, 3]);
    });

    it("is no more in the stats when it has expired", async () => {
      await fill({ expireTime: NOW + 1000 });
      expect(await opened.cache.stats(SCOPE, NOW + 1000)).toMatchObject({ entryCount: 0, byteCount: 0 });
    });

    it("is listed completely, page by page and by tag, with one create time", async () => {
      await fill();
      await put("tagged", {}, { tags: ["rare"], createTime: NOW - 1 });
      const listedIds: string[] = [];
      for (let more = true; more; ) {
        const last = listedIds.at(-1);
        const page = await opened.cache.list(SCOPE, {
          limit: 170,
          maxBytes: Number.MAX_SAFE_INTEGER,
          now: NOW,
          ...(last === undefined ? {} : { after: { createTime: NOW, id: last } }),
        });
        listedIds.push(...page.entries.map(({ id }) => id));
        ({ more } = page);
      }
      const whole = Array.from(
        { length: MANY },
        (_, index) => `e${String(MANY - 1 - index).padStart(3, "0")}`,
      );
      expect(listedIds).toEqual([...whole, "tagged"]);
      expect(await listed({ tagsAny: ["rare"], limit: 1 })).toEqual(["tagged"]);
    });
  });

  it("lets the older go first of those that were used at the same time", async () => {
    await put("a", {}, { createTime: NOW + 2 });
    await put("b", {}, { createTime: NOW + 1 });
    await put("c", {}, { createTime: NOW + 3 });
    expect(await put("d", { now: NOW + 10, maxEntries: 3 })).toMatchObject({ evicted: 1 });
    expect((await listed()).sort()).toEqual(["a", "c", "d"]);
  });

  it("answers with the same object as long as the entry is the same", async () => {
    await put("e1", { vector: unitVector(1, DIMENSION) });
    const first = await findEntry(opened.cache, SCOPE, "e1", NOW);
    expect(first).toEqual(cacheEntry());
    expect(await findEntry(opened.cache, SCOPE, "e1", NOW)).toBe(first);
    expect((await nearest(1))[0]?.entry).toBe(first);
    expect((await opened.cache.list(SCOPE, { limit: 1, maxBytes: 1, now: NOW })).entries[0]).toBe(first);
    // The same etag, which is not part of the read.
    await put("e1", {}, { response: "another" });
    expect((await findEntry(opened.cache, SCOPE, "e1", NOW))?.response).toBe("another");
  });

  describe("entries that are read at once", () => {
    const scopes = ["a", "b", "c"].map((namespace) => ({ tenant: "t", namespace }));
    const findAll = (ids: readonly string[]) =>
      Promise.all(scopes.flatMap((scope) => ids.map((id) => findEntry(opened.cache, scope, id, NOW))));
    beforeEach(async () => {
      for (const scope of scopes.slice(0, 2)) {
        for (const id of ["e1", "e2"]) {
          await opened.cache.put(scope, cacheEntry({ id, response: `${id} of ${scope.namespace}` }), BOUND);
        }
      }
    });

    it("have the same results as single reads: cached, new, absent or in another namespace", async () => {
      const [known] = await findAll(["e1"]);
      const found = await findAll(["e1", "absent", "e2", "e1"]);
      expect(found.map((entry) => entry?.response)).toEqual([
        ...["e1 of a", undefined, "e2 of a", "e1 of a"],
        ...["e1 of b", undefined, "e2 of b", "e1 of b"],
        ...[undefined, undefined, undefined, undefined],
      ]);
      expect(found[0]).toBe(known);
    });

    it("are of the current namespace after another process has created it again or deleted it", async () => {
      await findAll(["e1"]);
      const partition = opened.keys.partition(0);
      const send = (...command: Parameters<typeof opened.client.command>) =>
        opened.client.command(...command);
      const old = partition.namespace(String(await send("HGET", partition.namespaces, "t:b")));
      const anew = partition.namespace("0".repeat(16));
      await send("COPY", old.cacheEntry("e2"), anew.cacheEntry("e2"));
      await send("HSET", partition.namespaces, "t:b", anew.namespaceId);
      await send("HDEL", partition.namespaces, "t:a");
      const found = await findAll(["e1", "e2"]);
      expect(found.map((entry) => entry?.response)).toEqual([
        ...[undefined, undefined],
        ...[undefined, "e2 of b"],
        ...[undefined, undefined],
      ]);
    });

    it("fail alone when their record cannot be read", async () => {
      const partition = opened.keys.partition(0);
      const namespaceId = String(await opened.client.command("HGET", partition.namespaces, "t:a"));
      await opened.client.command(
        "HSET",
        partition.namespace(namespaceId).cacheEntry("e1"),
        "rec",
        "?",
        "version",
        "x",
      );
      const found = await Promise.allSettled(
        ["e1", "e2"].map((id) => findEntry(opened.cache, { tenant: "t", namespace: "a" }, id, NOW)),
      );
      expect(found).toMatchObject([
        { status: "rejected", reason: { reason: "STORE_CORRUPT" } },
        { value: { id: "e2" } },
      ]);
    });
  });

  describe("an invalidation by another process", () => {
    const query = { fingerprint: "f1", vector: unitVector(1, DIMENSION), model: IDENTITY, limit: 3 };

    it("is seen by the next lookup, though the entry is cached", async () => {
      const replica = await opened.openReplica();
      await put("e1", { vector: unitVector(1, DIMENSION) }, { tags: ["a"] });
      await put("e2", { vector: unitVector(2, DIMENSION) });
      for (const id of ["e1", "e2"]) expect((await findEntry(opened.cache, SCOPE, id, NOW))?.id).toBe(id);
      expect(await nearest(1)).toHaveLength(2);
      await replica.invalidate(SCOPE, { tagsAny: ["a"] }, { now: NOW + 1 });
      expect(await opened.cache.lookup(SCOPE, { id: "e1", nearest: query }, NOW)).toMatchObject({
        exact: undefined,
        nearest: [{ entry: { id: "e2" } }],
        generation: NOW + 1,
      });
      expect(await findEntry(opened.cache, SCOPE, "e1", NOW)).toBeUndefined();
      expect((await findEntry(opened.cache, SCOPE, "e2", NOW))?.id).toBe("e2");
    });

    it("is seen while its entries are not removed yet, also with more conditions than a read returns", async () => {
      // As when the process that invalidated was killed: the state without its removal.
      await put("e1", { vector: unitVector(1, DIMENSION) }, { tags: ["a"] });
      await put("e2", { vector: unitVector(2, DIMENSION) });
      const { counters, cacheInvalidations } = await keysOf();
      const pend = async (names: readonly string[]) => {
        const generation = NOW + 1;
        await opened.client.command("HSET", counters, "cache_generation", generation);
        for (const name of names) await opened.client.command("ZADD", cacheInvalidations, generation, name);
      };
      const [name = ""] = invalidationNames({ tagsAny: ["a"] });
      await pend([name]);
      expect((await nearest(1)).map(({ entry }) => entry.id)).toEqual(["e2"]);
      expect(await findEntry(opened.cache, SCOPE, "e1", NOW)).toBeUndefined();
      expect(await listed()).toEqual(["e2"]);
      await put("e3", { vector: unitVector(1, DIMENSION) }, { tags: ["a"] });
      await pend(Array.from({ length: MAX_PENDING }, (_, index) => `t${"0".repeat(18)}${index}`));
      // Entries from before the last invalidation are not found by vector while so many are pending.
      const all = { ...query, limit: 4 };
      expect((await findNearest(opened.cache, SCOPE, all, NOW)).map(({ entry }) => entry.id)).toEqual(["e3"]);
      expect((await findEntry(opened.cache, SCOPE, "e2", NOW))?.id).toBe("e2");
      // Stats remove what is left, and then nothing is pending.
      expect(await opened.cache.stats(SCOPE, NOW)).toMatchObject({ entryCount: 2, stores: 3 });
      expect(await sizesBeside()).toEqual([2, 2, 2, 2]);
      expect((await nearest(2)).map(({ entry }) => entry.id)).toEqual(["e2", "e3"]);
    });

    it("of thousands is answered at once, and they are removed behind it", async () => {
      const ids = Array.from({ length: 2000 }, (_, index) => `e${index}`);
      for (let from = 0; from < ids.length; from += 200) {
        await Promise.all(ids.slice(from, from + 200).map((id) => put(id)));
      }
      await opened.cache.invalidate(SCOPE, {}, { now: NOW + 1 });
      const [left = 0] = await sizesBeside();
      expect(Number(left)).toBeGreaterThan(1000);
      expect(await listed()).toEqual([]);
      expect(await opened.cache.countMatching(SCOPE, {}, NOW)).toBe(0);
      await vi.waitFor(async () => expect(await sizesBeside()).toEqual([0, 0, 0, 0]), { timeout: 30_000 });
      const { counters } = await keysOf();
      const swept = await opened.client.command(
        "HMGET",
        counters,
        "cache_generation",
        "cache_swept",
        "cache_pass",
      );
      expect((swept as readonly unknown[]).map((value) => value && String(value))).toEqual([
        String(NOW + 1),
        String(NOW + 1),
        null,
      ]);
    });

    it("remembers a bounded number of conditions, and beyond it invalidates the whole namespace", async () => {
      await put("e1");
      await opened.cache.invalidate(SCOPE, { tagsAny: ["none"] }, { now: NOW + 1 });
      const { cacheInvalidations, counters } = await keysOf();
      for (let from = 0; from < MAX_INVALIDATIONS; from += 1000) {
        const members = Array.from({ length: 1000 }, (_, index) => [
          NOW + 1,
          `t${(from + index).toString(16)}`,
        ]);
        await opened.client.command("ZADD", cacheInvalidations, ...members.flat());
      }
      expect((await findEntry(opened.cache, SCOPE, "e1", NOW))?.id).toBe("e1");
      await opened.cache.invalidate(SCOPE, { tagsAny: ["one more"] }, { now: NOW + 2 });
      expect(await findEntry(opened.cache, SCOPE, "e1", NOW)).toBeUndefined();
      expect(await opened.client.command("ZCARD", cacheInvalidations)).toBe(1);
      // Those that no decision can be older than are forgotten.
      const later = NOW + 8 * DAY;
      await vi.waitFor(async () =>
        expect(String(await opened.client.command("HGET", counters, "cache_swept"))).toBe(String(NOW + 2)),
      );
      await opened.cache.invalidate(SCOPE, { model: "m" }, { now: later });
      await vi.waitFor(async () =>
        expect(String(await opened.client.command("HGET", counters, "cache_swept"))).toBe(String(later)),
      );
      await opened.cache.invalidate(SCOPE, { model: "m" }, { now: later + 1 });
      expect(await opened.client.command("ZCARD", cacheInvalidations)).toBe(1);
    });
  });

  it("counts the entries of each cache scope", async () => {
    await put("a");
    await put("b");
    await put("c", {}, { fingerprint: "f2" });
    const { cacheSizes, namespaceId } = await keysOf();
    const size = async (fingerprint: string) =>
      Number(String(await opened.client.command("HGET", cacheSizes, scopeToken(namespaceId, fingerprint))));
    expect([await size("f1"), await size("f2")]).toEqual([2, 1]);
    await put("b", {}, { fingerprint: "f2" });
    expect([await size("f1"), await size("f2")]).toEqual([1, 2]);
    await opened.cache.delete(SCOPE, "a", { now: NOW });
    expect(await opened.client.command("HEXISTS", cacheSizes, scopeToken(namespaceId, "f1"))).toBe(0);
  });

  it("compares and keeps no vector of another model when that has changed elsewhere", async () => {
    await put("old", { vector: unitVector(1, DIMENSION), model: IDENTITY });
    expect(await nearest(1)).toHaveLength(1);
    const now = { ...IDENTITY, model: "next" };
    const { meta } = opened.keys.partition(0);
    await opened.client.command(
      ...(["FT.ALTER", opened.indexName, "SCHEMA", "ADD"] as const),
      ...vectorSchema("v2", DIMENSION, HNSW),
    );
    await opened.client.command("HSET", meta, "generation", 2, "model", JSON.stringify(now));
    await expect(nearest(1)).rejects.toThrow(ModelChanged);
    await put("late", { vector: unitVector(1, DIMENSION), model: IDENTITY });
    await put("new", { vector: unitVector(1, DIMENSION), model: now });
    expect((await nearest(1, NOW, now)).map(({ entry }) => entry.id)).toEqual(["new"]);
    expect((await findEntry(opened.cache, SCOPE, "late", NOW))?.id).toBe("late");
  });

  it("keeps no vector of a model that changes while an entry is put", async () => {
    await put("first");
    const now = { ...IDENTITY, model: "next" };
    const { meta } = opened.keys.partition(0);
    await opened.client.command("HSET", meta, "generation", 2, "model", JSON.stringify(now));
    await put("e1", { vector: unitVector(1, DIMENSION), model: IDENTITY });
    const key = (await keysOf()).cacheEntry("e1");
    const fields = (await opened.client.command("HKEYS", key)) as readonly Buffer[];
    expect(fields.map(String).filter((field) => field.startsWith("v") && field !== "version")).toEqual([]);
  });
});

describe.skipIf(url === "")("a change of the model that has not reached all partitions", () => {
  it("causes misses, and entries that are put meanwhile are found by exact match", async () => {
    await using opened = await openRedisCache(url, { identity: IDENTITY, partitions: 4 });
    const scopes = ["n1", "n2", "n3", "n4", "n5", "n6"].map((namespace) => ({ tenant: "t", namespace }));
    const scope = scopes.find((one) => opened.keys.partitionOf(one) !== 0) ?? SCOPE;
    const { meta, number } = opened.keys.partition(opened.keys.partitionOf(scope));
    expect(number).not.toBe(0);
    const options = { ...BOUND, vector: unitVector(1, DIMENSION), model: IDENTITY };
    await opened.cache.put(scope, cacheEntry({ id: "before" }), options);
    await opened.client.command("HSET", meta, "generation", 2);
    await opened.cache.put(scope, cacheEntry({ id: "meanwhile" }), options);
    const query = { fingerprint: "f1", vector: unitVector(1, DIMENSION), model: IDENTITY, limit: 3 };
    expect(await findNearest(opened.cache, scope, query, NOW)).toEqual([]);
    expect((await findEntry(opened.cache, scope, "meanwhile", NOW))?.id).toBe("meanwhile");
    await opened.client.command("HSET", meta, "generation", opened.model.generation);
    const found = await findNearest(opened.cache, scope, query, NOW);
    expect(found.map(({ entry }) => entry.id)).toEqual(["before"]);
  });
});

describe.skipIf(url === "")("the nearest of a large cache scope on Redis", () => {
  it("are those of an exact scan", { timeout: 120_000 }, async () => {
    const [dimension, count, limit] = [64, 3000, 3];
    await using opened = await openRedisCache(url, { identity: { ...IDENTITY, dimension } });
    const random = seededRandom(5);
    const centres = Array.from({ length: 60 }, (_, seed) => unitVector(seed, dimension));
    /** Near one of the centres, as prompts are. */
    const near = (): Float32Array => {
      const centre = centres[Math.floor(random() * centres.length)] ?? new Float32Array(dimension);
      const vector = centre.map((value) => value + 0.1 * (random() - 0.5));
      const length = Math.sqrt(dot(vector, vector));
      return vector.map((value) => value / length);
    };
    const vectors = Array.from({ length: count }, near);
    for (let from = 0; from < count; from += 200) {
      await Promise.all(
        vectors
          .slice(from, from + 200)
          .map((vector, index) =>
            opened.cache.put(SCOPE, cacheEntry({ id: `e${from + index}` }), { ...BOUND, vector }),
          ),
      );
    }
    let found = 0;
    const queries = Array.from({ length: 200 }, near);
    for (const vector of queries) {
      const expected = vectors
        .map((other, index) => ({ id: `e${index}`, similarity: clampSimilarity(dot(vector, other)) }))
        .sort((a, b) => b.similarity - a.similarity)
        .slice(0, limit);
      const answered = await findNearest(opened.cache, SCOPE, { fingerprint: "f1", vector, limit }, NOW);
      expect(answered).toHaveLength(limit);
      for (const { entry, similarity } of answered) {
        const exact = dot(vector, vectors[Number(entry.id.slice(1))] ?? new Float32Array());
        expect(similarity).toBeCloseTo(exact, 5);
      }
      const ids = new Set(answered.map(({ entry }) => entry.id));
      found += expected.filter(({ id }) => ids.has(id)).length;
    }
    expect(found / (queries.length * limit)).toBeGreaterThan(0.98);
  });
});

describe.skipIf(url === "")("round trips of the cache on Redis", () => {
  it("are one for the exact answer and one for the nearest", async () => {
    await using way = await openCountedWay(url);
    await using opened = await openRedisCache(way.url, { identity: IDENTITY });
    const { cache, embeddings } = opened;
    // Once the process knows the scripts and the id of the namespace.
    const { cost } = way;
    const find = async (id: string, now = NOW) => findEntry(cache, SCOPE, id, now);
    const nearest = () =>
      findNearest(cache, SCOPE, { fingerprint: "f1", vector: unitVector(1, DIMENSION), limit: 3 }, NOW);
    const put = (id: string) =>
      cache.put(SCOPE, cacheEntry({ id }), { ...BOUND, vector: unitVector(1, DIMENSION) });
    const one = { key: "0".repeat(64), embedded: { vector: unitVector(1, DIMENSION), truncated: false } };
    const keep = () => embeddings.put([one], { now: NOW, expireTime: NOW + DAY });
    await put("e0");
    await find("e0");
    await keep();
    cache.countLookup(SCOPE, { kind: "MISS" }, NOW);
    await cache.stats(SCOPE, NOW);
    await cache.claimRefresh(SCOPE, "absent", { now: NOW, until: NOW + DAY });

    expect(await cost(() => put("e1"))).toEqual({ trips: 1, commands: 1 });
    expect(await cost(() => find("e1"))).toEqual({ trips: 1, commands: 1 });
    expect(await cost(() => find("e1"))).toEqual({ trips: 1, commands: 1 });
    expect(await cost(() => find("e1", NOW + 2 * DAY))).toEqual({ trips: 1, commands: 1 });
    expect(await cost(() => find("absent"))).toEqual({ trips: 1, commands: 1 });
    // The search, what shows that it was right to ask so, and now and then the size of the scope.
    expect(await cost(nearest)).toEqual({ trips: 1, commands: 3 });
    expect(await cost(nearest)).toEqual({ trips: 1, commands: 2 });
    const lookup = async () => [await find("absent"), await nearest()];
    expect(await cost(lookup)).toEqual({ trips: 2, commands: 3 });
    const query = { fingerprint: "f1", vector: unitVector(1, DIMENSION), limit: 3 };
    const both = async () => cache.lookup(SCOPE, { id: "absent", nearest: query }, NOW);
    expect(await cost(both)).toEqual({ trips: 1, commands: 2 });
    // Also after an invalidation, whose own cost does not depend on the entries.
    expect(await cost(() => cache.invalidate(SCOPE, { tagsAny: ["a"] }, { now: NOW }))).toMatchObject({
      trips: 1,
    });
    await cache.stats(SCOPE, NOW);
    expect(await cost(() => find("e1"))).toEqual({ trips: 1, commands: 1 });
    expect(await cost(both)).toEqual({ trips: 1, commands: 2 });
    // Many at once: one command reads the entries of 64.
    const many = () => Promise.all(Array.from({ length: 100 }, (_, index) => find(`e${index % 3}`)));
    expect(await cost(many)).toEqual({ trips: 1, commands: 2 });
    const manyOfBoth = () => Promise.all(Array.from({ length: 10 }, both));
    expect(await cost(manyOfBoth)).toEqual({ trips: 1, commands: 11 });
    expect(await cost(async () => cache.countLookup(SCOPE, { kind: "MISS" }, NOW))).toEqual({
      trips: 0,
      commands: 0,
    });
    const claim = () => cache.claimRefresh(SCOPE, "e1", { now: NOW, until: NOW + DAY });
    expect(await cost(claim)).toEqual({ trips: 1, commands: 1 });
    expect(await cost(claim)).toEqual({ trips: 1, commands: 1 });
    // The pending counts are flushed first.
    expect(await cost(() => put("e1"))).toEqual({ trips: 2, commands: 2 });
    expect(await cost(() => cache.delete(SCOPE, "e1", { now: NOW }))).toMatchObject({ trips: 1 });
    expect(await cost(keep)).toEqual({ trips: 1, commands: 1 });
    expect(await cost(() => embeddings.get([one.key, "1".repeat(64)], NOW))).toEqual({
      trips: 1,
      commands: 1,
    });
  });
});

describe.skipIf(url === "")("cached embeddings in several partitions", () => {
  it("are found in whichever they lie, within the bound of all", async () => {
    await using opened = await openRedisCache(url, {
      identity: IDENTITY,
      partitions: 4,
      maxEmbeddings: 40,
    });
    const entries = Array.from({ length: 120 }, (_, seed) => ({
      key: Math.imul(seed + 1, 0x9e3779b1)
        .toString(16)
        .replace("-", "")
        .padStart(64, "0")
        .split("")
        .reverse()
        .join(""),
      embedded: { vector: unitVector(seed, DIMENSION), truncated: seed % 2 === 0 },
    }));
    const life = { now: NOW, expireTime: NOW + DAY };
    await opened.embeddings.put(entries.slice(0, 8), life);
    const first = entries.slice(0, 8).map(({ key }) => key);
    expect(await opened.embeddings.get(first, NOW)).toEqual(entries.slice(0, 8).map((one) => one.embedded));
    await opened.embeddings.put(entries, life);
    const found = await opened.embeddings.get(
      entries.map(({ key }) => key),
      NOW,
    );
    const cached = found.filter((one) => one !== undefined).length;
    expect(cached).toBeGreaterThan(30);
    expect(cached).toBeLessThanOrEqual(40);
  });
});
