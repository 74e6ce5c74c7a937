import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { isCounted } from "../../../src/adapters/redis/memory/tokens.ts";
import type { NamespaceRedisKeys } from "../../../src/adapters/redis/namespaces/keys.ts";
import type { NamespaceKey } from "../../../src/domain/access/tenancy.ts";
import { ACTIVE_ONLY, EVERY_STATE } from "../../../src/domain/memory/filter.ts";
import type { Memory, MemoryEmbedding } from "../../../src/domain/memory/memory.ts";
import { cacheEntry, idempotentRequest, memory, NOW, newMemory } from "../../support/builders.ts";
import { pick, type Random, STATES } from "../../support/random-memories.ts";
import { sharedRedisUrl } from "../../support/redis/run.ts";
import { type RedisSandbox, type RedisStores, redisSandbox } from "../../support/redis-memories.ts";
import { reasonOf, VECTOR_DIMENSION, vectorOf } from "../store-under-test.ts";
import { idsOf, memoryOf, outcomeText } from "./support.ts";

const url = await sharedRedisUrl();
const MODEL = { provider: "contract", model: "random", dimension: VECTOR_DIMENSION };
const OTHER = { ...MODEL, model: "another" };
const READY: MemoryEmbedding = { state: "READY", ...MODEL, truncated: false };

/** Tests beyond the contract: the keys in Redis, and several processes. */
describe.skipIf(url === "")("memories in Redis", () => {
  const scope: NamespaceKey = { tenant: "t", namespace: "n" };
  let sandbox: RedisSandbox;
  let stores: RedisStores;
  beforeEach(async () => {
    sandbox = redisSandbox(url, MODEL);
    stores = await sandbox.open();
  });
  afterEach(async () => {
    await stores[Symbol.asyncDispose]();
    await sandbox[Symbol.asyncDispose]();
  });

  const create = (...items: Parameters<typeof newMemory>[]) =>
    stores.memories.writer.create(
      scope,
      items.map(([given, write]) => newMemory(given, write)),
      { now: NOW },
    );
  const ask = async (...command: Parameters<RedisStores["client"]["command"]>) =>
    plain(await stores.client.command(...command));
  const namespaceOf = async (of = scope): Promise<NamespaceRedisKeys> => {
    const partition = sandbox.keys.partition(0);
    return partition.namespace(
      String(await ask("HGET", partition.namespaces, `${of.tenant}:${of.namespace}`)),
    );
  };
  const keysLeft = async (part: string): Promise<string[]> =>
    ((await ask("KEYS", `*${part}*`)) as string[])
      .filter((key) => key.startsWith(sandbox.keys.partition(0).root))
      .toSorted();

  describe("counters and sorted sets", () => {
    /** From the memories themselves. */
    const recount = async ({ partition, namespaceId }: NamespaceRedisKeys) => {
      const counters = { memories: 0, terms: 0 };
      const frequencies: Record<string, number> = {};
      const sizes: Record<string, number> = {};
      const duplicates: string[] = [];
      const ending: string[] = [];
      const beginning = `${partition.memories}${namespaceId}:`;
      for (const name of await keysLeft(beginning)) {
        const [tok, terms, dup, sameText, expire] = (await ask(
          "HMGET",
          name,
          "tok",
          "terms",
          "dup",
          "text",
          "expire",
        )) as string[];
        const words = terms === "" ? [] : (terms ?? "").split(" ");
        counters.memories += 1;
        counters.terms += words.length;
        for (const term of new Set(words)) frequencies[term] = (frequencies[term] ?? 0) + 1;
        for (const token of (tok ?? "").split(",").filter(isCounted)) sizes[token] = (sizes[token] ?? 0) + 1;
        if (dup !== null && dup !== undefined) {
          duplicates.push(dup, `${sameText}${dup.slice(dup.indexOf(":"))}`);
        }
        if (expire !== null && expire !== undefined)
          ending.push(`${namespaceId}/${name.slice(beginning.length)}`);
      }
      return { counters, frequencies, sizes, duplicates: duplicates.sort(), ending: ending.sort() };
    };
    const kept = async (namespace: NamespaceRedisKeys) => {
      const numbers = async (key: string) => {
        const fields = (await ask("HGETALL", key)) as string[];
        return Object.fromEntries(
          Array.from({ length: fields.length / 2 }, (_, at) => [fields[2 * at], Number(fields[2 * at + 1])]),
        );
      };
      const { memories = 0, terms = 0 } = await numbers(namespace.counters);
      // The only namespace of the partition.
      expect(Number(await ask("HGET", namespace.partition.meta, "memories"))).toBe(memories);
      return {
        counters: { memories, terms },
        frequencies: await numbers(namespace.documentFrequencies),
        sizes: await numbers(namespace.sizes),
        duplicates: ((await ask("ZRANGE", namespace.duplicates, 0, -1)) as string[]).toSorted(),
        ending: ((await ask("ZRANGE", namespace.partition.memoryExpiry, 0, -1)) as string[]).toSorted(),
      };
    };

    it("match the stored memories after any operations", async () => {
      const random = seeded(1);
      const ids = Array.from({ length: 12 }, (_, index) => `m${index}`);
      const given = (id: string, now: number) => ({
        id,
        text: `${pick(random, ["tea", "tea and tea", "寿司 for two", ""])} ${pick(random, ["", id])}`,
        userId: pick(random, ["", "ana"]),
        sessionId: pick(random, ["", "s", "r"]),
        state: pick(random, STATES),
        tags: pick(random, [[], ["a"], ["b", "c"]]),
        createTime: now,
        ...(random() < 0.3 ? { expireTime: now + 20 } : {}),
      });
      for (let now = NOW; now < NOW + 150; now += 1) {
        const id = pick(random, ids);
        const vector = random() < 0.5 ? { vector: vectorOf(now) } : {};
        const onDuplicate = pick(random, ["ALLOW", "REFUSE", "RETURN_EXISTING"] as const);
        const item = newMemory(given(id, now), { ...vector, onDuplicate });
        const { onDuplicate: _, ...imported } = item;
        const [there] = await stores.memories.reader.get(scope, [id], now);
        const dice = random();
        if (dice < 0.4) await stores.memories.writer.create(scope, [item, item], { now });
        else if (dice < 0.6) await stores.memories.importer.import(scope, [imported, imported], { now });
        else if (dice < 0.8 && there !== undefined) {
          const { createTime, sessionId, etag } = there;
          const next = {
            ...imported,
            memory: memory({ ...imported.memory, createTime, sessionId, etag: `e${now}` }),
          };
          await stores.memories.writer.replace(scope, etag, next, { now });
        } else if (dice < 0.95) await reasonOf(stores.memories.writer.delete(scope, id, { now }));
        else await stores.memories.purge.run(scope, { ...EVERY_STATE, sessionId: "s" }, { now });
        if (now % 10 === 0) {
          await stores.sweeper.sweepExpired(sandbox.keys.partition(0), now);
          const namespace = await namespaceOf();
          expect(await kept(namespace)).toEqual(await recount(namespace));
        }
      }
      await stores.memories.purge.run(scope, EVERY_STATE, { now: NOW });
      await stores.sweeper.sweepExpired(sandbox.keys.partition(0), NOW + 1000);
      const namespace = await namespaceOf();
      const left = [namespace.changeFeed, namespace.lastPositions];
      expect(await keysLeft(`n:${namespace.namespaceId}`)).toEqual(left);
      expect(await keysLeft("waiting")).toEqual([]);
      expect(await keysLeft("ending")).toEqual([]);
    });

    it("is answered without a look at a memory, unless some have expired", async () => {
      await create([{ id: "a" }], [{ id: "b", state: "ARCHIVED" }], [{ id: "c", expireTime: NOW + 5 }]);
      expect(await stores.memories.reader.count(scope, ACTIVE_ONLY, NOW)).toBe(2);
      expect(await stores.memories.reader.count(scope, ACTIVE_ONLY, NOW + 5)).toBe(1);
      const namespace = await namespaceOf();
      for (const id of ["a", "b"]) await ask("HSET", namespace.memory(id), "rec", "damaged");
      // Expired ones were swept by the count.
      expect(await stores.memories.reader.count(scope, EVERY_STATE, NOW)).toBe(2);
    });
  });

  describe("unreachable data", () => {
    it("of expired memories is removed after a write", async () => {
      await create([{ id: "a", sessionId: "s", expireTime: NOW + 5 }], [{ id: "b" }]);
      await stores.memories.writer.create(scope, [newMemory({ id: "c" })], { now: NOW + 5 });
      const { counters, partition } = await namespaceOf();
      await vi.waitFor(async () => expect(await ask("HGET", counters, "memories")).toBe("2"), {
        timeout: 10_000,
      });
      expect(await ask("EXISTS", partition.memoryExpiry)).toBe(0);
    });

    it("of a deleted namespace is removed, and that of no other", async () => {
      const neighbour = { ...scope, namespace: "neighbour" };
      for (const one of [scope, neighbour]) {
        const items = Array.from({ length: 250 }, (_, index) =>
          newMemory(
            { id: `m${index}`, sessionId: `s${index}`, expireTime: NOW + 1000 },
            index < 5 ? { vector: vectorOf(index) } : {},
          ),
        );
        await stores.memories.writer.create(one, items.slice(0, 200), {
          now: NOW,
          request: idempotentRequest(),
        });
        await stores.memories.writer.create(one, items.slice(200), { now: NOW });
        await stores.cache.put(one, cacheEntry(), { now: NOW, maxEntries: 10 });
        const replaced = { id: "m7", sessionId: "s7", expireTime: NOW + 1000 };
        const { onDuplicate: _, ...next } = newMemory({ ...replaced, text: "next", updateTime: NOW + 1 });
        const { etag } = newMemory(replaced).memory;
        await stores.memories.writer.replace(one, etag, next, { now: NOW });
        // Written down when that process ends.
        await using counting = await sandbox.open();
        counting.memories.accessCounts.add(one, ["m1"], NOW);
      }
      const gone = await namespaceOf();
      expect(await keysLeft(gone.lastAccesses)).toHaveLength(1);
      expect(await keysLeft(gone.revisions("m7"))).toHaveLength(1);
      const stays = await namespaceOf(neighbour);
      const before = await keysLeft(stays.namespaceId);
      const memories = async (of: NamespaceRedisKeys) => Number(await ask("ZCARD", of.order));
      const both = (await memories(gone)) + (await memories(stays));
      expect(await ask("HGET", gone.partition.meta, "memories")).toBe(String(both));
      await stores.namespaces.delete(scope, { now: NOW });
      await vi.waitFor(async () => expect(await ask("EXISTS", gone.partition.deleted)).toBe(0), {
        timeout: 10_000,
      });
      expect(await ask("HGET", gone.partition.meta, "memories")).toBe(String(await memories(stays)));
      // The record of a request ends by itself.
      expect(await keysLeft(gone.namespaceId)).toEqual([gone.request(idempotentRequest().key)]);
      expect(await keysLeft(stays.namespaceId)).toEqual(before);
      for (const key of [gone.partition.pending, gone.partition.pendingSince, gone.partition.memoryExpiry]) {
        const members = (await ask("ZRANGE", key, 0, -1)) as string[];
        expect(members.filter((member) => !member.startsWith(`${stays.namespaceId}/`))).toEqual([]);
        expect(members.length).toBeGreaterThan(0);
      }
      expect(await ask("HGETALL", gone.partition.names)).toEqual([stays.namespaceId, "t:neighbour"]);
    });

    it("is removed by the next process after an exit", async () => {
      await create([{ id: "a" }]);
      const { partition, namespaceId } = await namespaceOf();
      await ask("HDEL", partition.namespaces, "t:n");
      await ask("SADD", partition.deleted, namespaceId);
      await using next = await sandbox.open();
      next.sweeper.afterDeletion();
      await vi.waitFor(async () => expect(await keysLeft(namespaceId)).toEqual([]), { timeout: 10_000 });
    });

    it("stays, with a log message, while Redis cannot be reached", async () => {
      const warn = vi.fn();
      const lonely = await sandbox.open({ log: { warn } });
      await lonely.client[Symbol.asyncDispose]();
      lonely.sweeper.afterDeletion();
      await vi.waitFor(() => expect(warn).toHaveBeenCalledOnce());
      await lonely[Symbol.asyncDispose]();
    });
  });

  describe("a memory without a vector", () => {
    const waiting = async () => {
      const { partition, namespaceId } = await namespaceOf();
      const strip = (members: unknown) =>
        (members as string[]).map((one) => one.replace(`${namespaceId}/`, ""));
      return {
        due: strip(await ask("ZRANGE", partition.pending, 0, -1, "WITHSCORES")),
        since: strip(await ask("ZRANGE", partition.pendingSince, 0, -1, "WITHSCORES")),
      };
    };

    it("waits from its write on; one whose text is refused is never due", async () => {
      const refused = { ...READY, state: "REFUSED" } as const;
      await create([{ id: "a" }], [{ id: "b", embedding: refused }], [{ id: "c" }, { vector: vectorOf(1) }]);
      expect(await waiting()).toEqual({
        due: ["a", String(NOW), "b", String(2 ** 52 + NOW)],
        since: ["a", String(NOW)],
      });
      expect(stores.announced()).toBe(1);
    });

    it("is no longer pending when it is deleted, and is pending again or not when it is replaced", async () => {
      const [a, b] = await create([{ id: "a" }], [{ id: "b" }], [{ id: "c" }]);
      const { partition, namespaceId } = await namespaceOf();
      for (const id of ["a", "b", "c"])
        await ask("HSET", partition.pendingAttempts, `${namespaceId}/${id}`, 3);
      await stores.memories.writer.delete(scope, "c", { now: NOW });
      const next = (id: string, vector?: Float32Array) => {
        const { onDuplicate: _, ...one } = newMemory(
          { id, text: "new", etag: "e2" },
          vector === undefined ? {} : { vector },
        );
        return one;
      };
      await stores.memories.writer.replace(scope, memoryOf(a).etag, next("a"), { now: NOW + 1 });
      await stores.memories.writer.replace(scope, memoryOf(b).etag, next("b", vectorOf(1)), { now: NOW + 1 });
      expect(await waiting()).toEqual({ due: ["a", String(NOW + 1)], since: ["a", String(NOW + 1)] });
      expect(await ask("EXISTS", partition.pendingAttempts)).toBe(0);
    });
  });

  describe("a change of the model by another process", () => {
    beforeEach(async () => {
      // The namespace exists before.
      await create([{ id: "before" }]);
      await ask("HSET", sandbox.keys.partition(0).meta, "model", JSON.stringify(OTHER), "generation", 2);
    });

    it("keeps the vectors of the old one outside, in every kind of write", async () => {
      const old = (id: string) => newMemory({ id, embedding: READY, etag: id }, { vector: vectorOf(1) });
      const { onDuplicate: _, ...imported } = old("imported");
      const [created] = await stores.memories.writer.create(scope, [old("created")], { now: NOW });
      expect(memoryOf(created).embedding.state).toBe("PENDING");
      await ask("HSET", sandbox.keys.partition(0).meta, "model", JSON.stringify(MODEL), "generation", 3);
      const { onDuplicate: __, ...other } = newMemory(
        { id: "imported", embedding: { ...READY, ...OTHER } },
        { vector: vectorOf(1) },
      );
      expect(await stores.memories.importer.import(scope, [other], { now: NOW })).toEqual(["imported"]);
      const [there] = await stores.memories.reader.get(scope, ["imported"], NOW);
      expect(there?.embedding.state).toBe("PENDING");
      await ask("HSET", sandbox.keys.partition(0).meta, "model", JSON.stringify(OTHER), "generation", 4);
      const replaced = await stores.memories.writer.replace(
        scope,
        other.memory.etag,
        { ...imported, memory: { ...imported.memory, etag: "e2" } },
        { now: NOW },
      );
      expect(replaced.embedding.state).toBe("PENDING");
      const { partition, namespaceId } = await namespaceOf();
      const members = (await ask("ZRANGE", partition.pending, 0, -1)) as string[];
      expect(members.toSorted()).toEqual(
        ["before", "created", "imported"].map((id) => `${namespaceId}/${id}`),
      );
    });

    it("keeps those of the new one, in the field of its generation", async () => {
      const item = newMemory({ id: "a", embedding: { ...READY, ...OTHER } }, { vector: vectorOf(1) });
      const fresh = { ...scope, namespace: "new" };
      const [created] = await stores.memories.writer.create(fresh, [item], { now: NOW });
      expect(memoryOf(created).embedding.state).toBe("READY");
      const name = (await namespaceOf(fresh)).memory("a");
      const vectors = ((await ask("HKEYS", name)) as string[]).filter((field) => /^v\d+$/.test(field));
      expect(vectors).toEqual(["v2"]);
      expect(await stores.memories.reader.get(fresh, ["a"], NOW)).toEqual([memoryOf(created)]);
    });
  });

  describe("two processes", () => {
    it("give no session position twice, and store a text once", async () => {
      await using other = await sandbox.open();
      const both = [stores, other];
      const writes = Array.from({ length: 60 }, (_, index) => {
        const { memories } = both[index % 2] ?? stores;
        const item = newMemory(
          { id: `m${index}`, text: `text ${index % 10}`, sessionId: "s" },
          { onDuplicate: "RETURN_EXISTING" },
        );
        return memories.writer.create(scope, [item], { now: NOW });
      });
      const outcomes = (await Promise.all(writes)).flat();
      const created = outcomes.filter(({ kind }) => kind === "created").map(memoryOf);
      expect(created).toHaveLength(10);
      expect(created.map(({ sessionPosition }) => sessionPosition).sort((a, b) => a - b)).toEqual(
        Array.from({ length: 10 }, (_, index) => index + 1),
      );
    });

    it("know at once what the other did to a namespace", async () => {
      await using other = await sandbox.open();
      await create([{ id: "a" }]);
      expect(await other.memories.reader.exist(scope, ["a"], NOW)).toEqual([true]);
      await other.namespaces.delete(scope, { now: NOW });
      expect(await stores.memories.reader.get(scope, ["a"], NOW)).toEqual([undefined]);
      expect((await create([{ id: "a" }])).map(outcomeText)).toEqual(["created a"]);
      expect(
        await other.memories.reader.list(scope, { filter: ACTIVE_ONLY, limit: 5, now: NOW }),
      ).toHaveLength(1);
      await stores.namespaces.delete(scope, { now: NOW });
      const { onDuplicate: _, ...imported } = newMemory({ id: "a" });
      expect(await other.memories.importer.import(scope, [imported], { now: NOW })).toEqual(["imported"]);
      // Under another id, or data of the old one that is removed would be that of the new one.
      const { partition, namespaceId } = await namespaceOf();
      expect(await ask("SISMEMBER", partition.deleted, namespaceId)).toBe(0);
    });
  });

  describe("a duplicate", () => {
    const first = memory({ id: "first", text: "the same", expireTime: NOW + 5 });
    const again = (given: Partial<Memory>) =>
      newMemory({ id: "again", text: "the same", ...given }, { onDuplicate: "RETURN_EXISTING" });

    it("loses no tag that another process adds at the same time", async () => {
      await using other = await sandbox.open();
      await create([first]);
      const tags = Array.from({ length: 24 }, (_, index) => `t${index}`);
      const outcomes = await Promise.all(
        tags.map((tag, index) =>
          (index % 2 === 0 ? stores : other).memories.writer.create(
            scope,
            [again({ tags: [tag] }), newMemory({ id: `n${index}` })],
            { now: NOW },
          ),
        ),
      );
      expect(outcomes.map((both) => both.map(outcomeText))).toEqual(
        tags.map((_, index) => ["duplicate first", `created n${index}`]),
      );
      const [found] = await stores.memories.reader.get(scope, ["first"], NOW);
      expect(found?.tags.toSorted()).toEqual(tags.toSorted());
      expect(found?.expireTime).toBeUndefined();
    });

    it("is found together with the first of its batch that is written, in two round trips", async () => {
      await create([first]);
      const run = vi.spyOn(stores.client, "run");
      await stores.memories.writer.create(
        scope,
        Array.from({ length: 50 }, (_, index) => again({ tags: [`t${index % 5}`] })),
        { now: NOW },
      );
      expect(run.mock.calls.length).toBe(2);
      run.mockRestore();
    });

    it("that another process changes each time is given up, and nothing of the batch is stored", async () => {
      await using other = await sandbox.open();
      await create([first]);
      let end = NOW + 100;
      const { client } = stores;
      const send = client.run.bind(client);
      const run = vi.spyOn(client, "run").mockImplementation(async (...sent) => {
        end += 1;
        await other.memories.writer.create(scope, [again({ expireTime: end })], { now: NOW });
        return send(...sent);
      });
      const writing = stores.memories.writer.create(
        scope,
        [newMemory({ id: "new" }), again({ tags: ["x"], expireTime: NOW + 1 })],
        { now: NOW },
      );
      expect(await reasonOf(writing)).toBe("STORE_UNAVAILABLE");
      run.mockRestore();
      const found = await stores.memories.reader.get(scope, ["first", "new"], NOW);
      expect(found.map((one) => one && [one.tags, one.expireTime])).toEqual([[[], end], undefined]);
    });

    it("keeps its vector of the model, and a pending one stays pending", async () => {
      await stores.memories.writer.create(
        scope,
        [
          newMemory({ ...first, embedding: READY }, { vector: vectorOf(1) }),
          newMemory({ id: "w", text: "w" }),
        ],
        { now: NOW },
      );
      const namespace = await namespaceOf();
      const before = await ask("ZRANGE", namespace.partition.pending, 0, -1, "WITHSCORES");
      const key = namespace.memory("first");
      const vectors = ((await ask("HKEYS", key)) as string[]).filter((field) => /^v\d+$/.test(field));
      const untouched = ["terms", "emb", "dup", "pos", "created", ...vectors];
      const kept = await ask("HMGET", key, ...untouched);
      await stores.memories.writer.create(
        scope,
        [
          again({ tags: ["x"] }),
          newMemory({ id: "w2", text: "W", tags: ["x"] }, { onDuplicate: "RETURN_EXISTING" }),
        ],
        { now: NOW + 1 },
      );
      expect(vectors).toHaveLength(1);
      expect(await ask("HMGET", key, ...untouched)).toEqual(kept);
      expect(await ask("HMGET", key, "facts", "expire")).toEqual([`${NOW}  0.5 `, null]);
      expect(await ask("ZRANGE", namespace.partition.pending, 0, -1, "WITHSCORES")).toEqual(before);
    });

    it("recorded by an older version is replayed, without the differences", async () => {
      await create([first]);
      const request = idempotentRequest();
      const { expireTime, bodyHash, key } = request;
      const recorded = JSON.stringify([
        ["duplicate", "first"],
        ["same", "first"],
        ["taken", "first"],
      ]);
      const record = `${expireTime} ${bodyHash} ${recorded}`;
      await ask("SET", (await namespaceOf()).request(key), record);
      const outcomes = await stores.memories.writer.create(scope, [again({}), again({}), again({})], {
        now: NOW,
        request,
      });
      expect(outcomes.map(outcomeText)).toEqual([
        "duplicate first",
        "refused MEMORY_DUPLICATE",
        "refused MEMORY_ALREADY_EXISTS",
      ]);
      expect(outcomes[0]).toMatchObject({ differs: [] });
    });
  });

  it.each(["x", "y"])("are purged by what they have become meanwhile: of tag %s", async (tag) => {
    const items = Array.from({ length: 300 }, (_, index) => newMemory({ id: `m${index}`, tags: ["x"] }));
    for (const half of [items.slice(0, 150), items.slice(150)])
      await stores.memories.writer.create(scope, half, { now: NOW });
    const filter = { ...ACTIVE_ONLY, tagsAny: ["x"] };
    const purging = stores.memories.purge.run(scope, filter, { now: NOW });
    // The first page is on its way.
    await new Promise(setImmediate);
    const reasons = await Promise.all(
      items.map(({ onDuplicate: _, ...item }) => {
        const next = { ...item, memory: memory({ ...item.memory, tags: [tag], text: "new", etag: "e2" }) };
        return reasonOf(stores.memories.writer.replace(scope, item.memory.etag, next, { now: NOW }));
      }),
    );
    const purged = await purging;
    const left = await stores.memories.reader.list(scope, { filter: ACTIVE_ONLY, limit: 1000, now: NOW });
    expect(purged + left.length).toBe(300);
    expect(left.filter(({ tags }) => tags.includes("x"))).toEqual([]);
    const replaced = reasons.filter((reason) => reason === undefined).length;
    expect(left).toHaveLength(tag === "x" ? 0 : replaced);
  });

  it("take one round trip a call, however many they are", async () => {
    const items = Array.from({ length: 200 }, (_, index) => newMemory({ id: `m${index}` }));
    const ids = items.map((item) => item.memory.id);
    const { memories, client } = stores;
    await memories.writer.create(scope, items, { now: NOW });
    const next = () => {
      const { onDuplicate: _, ...one } = newMemory({ id: "m0", text: "new", etag: "e2" });
      return one;
    };
    const calls: readonly (() => Promise<unknown>)[] = [
      () =>
        memories.writer.create(
          scope,
          items.map(({ memory: { id } }) => newMemory({ id: `n${id}` })),
          { now: NOW },
        ),
      () => memories.reader.get(scope, ids, NOW),
      () => memories.reader.exist(scope, ids, NOW),
      () => memories.reader.list(scope, { filter: ACTIVE_ONLY, limit: 50, now: NOW }),
      () => memories.exporter.listOldest(scope, { filter: EVERY_STATE, limit: 200, maxBytes: 1e9, now: NOW }),
      () => memories.reader.count(scope, ACTIVE_ONLY, NOW),
      () => memories.writer.replace(scope, items[0]?.memory.etag ?? "", next(), { now: NOW }),
      () => memories.writer.delete(scope, "m1", { now: NOW }),
    ];
    // The sweep after the first write is over, and the next one starts in a second.
    await stores.sweeper[Symbol.asyncDispose]();
    for (const call of calls) {
      const spies = (["run", "command", "pipeline"] as const).map((name) => vi.spyOn(client, name));
      await call();
      const trips = spies.map((spy) => spy.mock.calls.length);
      for (const spy of spies) spy.mockRestore();
      // A script that Redis does not have yet is sent by `command` inside `run`.
      expect((trips[0] ?? 0) + (trips[2] ?? 0)).toBe(1);
    }
  });

  it("that is damaged is said to be so, and can be deleted", async () => {
    await create([{ id: "a" }], [{ id: "b" }]);
    const namespace = await namespaceOf();
    for (const field of ["rec", "emb"]) {
      await ask("HSET", namespace.memory("a"), field, "{");
      expect(await reasonOf(stores.memories.reader.get(scope, ["a"], NOW))).toBe("STORE_CORRUPT");
    }
    await ask("HDEL", namespace.memory("a"), "rec");
    await expect(stores.memories.reader.get(scope, ["a"], NOW)).rejects.toThrow("memory a is damaged");
    expect(await stores.memories.reader.exist(scope, ["a"], NOW)).toEqual([true]);
    expect((await create([{ id: "a" }])).map(outcomeText)).toEqual(["refused MEMORY_ALREADY_EXISTS"]);
    await stores.memories.writer.delete(scope, "a", { now: NOW });
    expect(
      idsOf(await stores.memories.reader.list(scope, { filter: ACTIVE_ONLY, limit: 5, now: NOW })),
    ).toEqual(["b"]);
  });

  it("are scanned in byte order, page by page, also from a deleted position", async () => {
    const random = seeded(2);
    const made = Array.from({ length: 450 }, (_, index) =>
      memory({
        id: `${pick(random, ["a", "B", "Z-", "z.", "1"])}${index}`,
        createTime: NOW + Math.floor(index / 200),
      }),
    );
    for (let at = 0; at < made.length; at += 150) {
      await create(...made.slice(at, at + 150).map((one) => [one] as Parameters<typeof newMemory>));
    }
    const inOrder = made.toSorted((a, b) => a.createTime - b.createTime || (a.id < b.id ? -1 : 1));
    const list = (oldestFirst: boolean, from: number, limit: number) => {
      const after = inOrder[from];
      const query = { filter: EVERY_STATE, limit, now: NOW, ...(after === undefined ? {} : { after }) };
      return oldestFirst
        ? stores.memories.exporter.listOldest(scope, { ...query, maxBytes: 10_000_000 })
        : stores.memories.reader.list(scope, query);
    };
    expect(idsOf(await list(true, -1, 1000))).toEqual(idsOf(inOrder));
    expect(idsOf(await list(false, -1, 1000))).toEqual(idsOf(inOrder.toReversed()));
    for (const at of [0, 1, 199, 200, 201, 399, 400, 448, 449]) {
      await stores.memories.writer.delete(scope, inOrder[at]?.id ?? "", { now: NOW });
    }
    const left = await list(true, -1, 1000);
    for (const at of [0, 1, 2, 57, 198, 199, 200, 201, 202, 398, 399, 400, 447, 448, 449]) {
      const sandbox = inOrder[at] ?? memory();
      const isBehind = (one: { readonly id: string; readonly createTime: number }): boolean =>
        one.createTime > sandbox.createTime || (one.createTime === sandbox.createTime && one.id > sandbox.id);
      const behind = left.filter(isBehind);
      const before = left.filter((one) => !isBehind(one) && one.id !== sandbox.id).toReversed();
      expect(idsOf(await list(true, at, 7))).toEqual(idsOf(behind).slice(0, 7));
      expect(idsOf(await list(false, at, 7))).toEqual(idsOf(before).slice(0, 7));
    }
  });

  it("show every access once while batches of them are written", async () => {
    await create([{ id: "a" }]);
    const nobody = Array.from({ length: 1023 }, (_, index) => `x${index}`);
    let counted = 0;
    const reads: Promise<void>[] = [];
    for (let round = 1; round <= 30; round += 1) {
      // As many as make a batch, which is sent at once.
      stores.memories.accessCounts.add(scope, [...nobody, "a"], NOW);
      counted += 1;
      const before = counted;
      reads.push(
        stores.memories.reader.get(scope, ["a"], NOW).then(([one]) => {
          expect(one?.access?.accessCount).toBeGreaterThanOrEqual(before);
          expect(one?.access?.accessCount).toBeLessThanOrEqual(counted);
        }),
      );
      if (round % 3 === 0) await reads[reads.length - 1];
    }
    await Promise.all(reads);
    const [one] = await stores.memories.reader.get(scope, ["a"], NOW);
    expect(one?.access?.accessCount).toBe(30);
  });
});

/** A reply with its bytes as text. */
function plain(reply: unknown): unknown {
  if (Buffer.isBuffer(reply)) return reply.toString();
  return Array.isArray(reply) ? reply.map(plain) : reply;
}

/** The same numbers from the same seed. */
function seeded(seed: number): Random {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
