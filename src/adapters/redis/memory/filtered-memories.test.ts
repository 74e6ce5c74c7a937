import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { memory, NOW, newMemory } from "../../../../test/support/builders.ts";
import { randomFilter } from "../../../../test/support/random-filters.ts";
import { pick, randomMemory } from "../../../../test/support/random-memories.ts";
import { sharedRedisUrl } from "../../../../test/support/redis/run.ts";
import {
  type RedisSandbox,
  type RedisStores,
  redisSandbox,
} from "../../../../test/support/redis-memories.ts";
import { seededInteger } from "../../../../test/support/scale.ts";
import { ACTIVE_ONLY, type MemoryFilter, matchesFilter } from "../../../domain/memory/filter.ts";
import type { Memory } from "../../../domain/memory/memory.ts";
import type { ListPosition } from "../../../ports/memory/reader.ts";

const URL = await sharedRedisUrl();

describe.skipIf(URL === "")("memories that pass a filter, by the index", () => {
  let sandbox: RedisSandbox;
  let stores: RedisStores;
  let scope = { tenant: "t", namespace: "n0" };
  let scopes = 0;
  /** Number of pages that were read from the index. */
  let sorted = 0;
  beforeAll(async () => {
    sandbox = redisSandbox(URL, { provider: "test", model: "test", dimension: 4 });
    stores = await sandbox.open();
    const pipeline = stores.client.pipeline.bind(stores.client);
    stores.client.pipeline = (commands) => {
      sorted += commands.filter((command) => command.includes("SORTBY")).length;
      return pipeline(commands);
    };
  });
  afterAll(async () => {
    await stores[Symbol.asyncDispose]();
    await sandbox[Symbol.asyncDispose]();
  });
  beforeEach(() => {
    scopes += 1;
    sorted = 0;
    scope = { tenant: "t", namespace: `n${scopes}` };
  });

  const write = async (memories: readonly Memory[]): Promise<void> => {
    for (let at = 0; at < memories.length; at += 500) {
      const items = memories
        .slice(at, at + 500)
        .map((one) => newMemory(one, { onDuplicate: "ALLOW", terms: [] }));
      await stores.memories.writer.create(scope, items, { now: NOW });
    }
  };
  /** Ids of all pages, newest first, then oldest first. */
  const pages = async (filter: MemoryFilter, limit: number): Promise<[string[], string[]]> => {
    const walk = async (next: (after?: ListPosition) => Promise<readonly Memory[]>): Promise<string[]> => {
      const ids: string[] = [];
      let after: ListPosition | undefined;
      for (;;) {
        const page = await next(after);
        ids.push(...page.map(({ id }) => id));
        after = page.at(-1);
        if (page.length < limit) return ids;
      }
    };
    const from = (after: ListPosition | undefined) => ({ filter, limit, now: NOW, ...(after && { after }) });
    return [
      await walk((after) => stores.memories.reader.list(scope, from(after))),
      await walk((after) => stores.memories.exporter.listOldest(scope, { ...from(after), maxBytes: 1e9 })),
    ];
  };
  const oldestFirst = (memories: readonly Memory[]): string[] =>
    memories.toSorted((a, b) => a.createTime - b.createTime || (a.id < b.id ? -1 : 1)).map(({ id }) => id);
  it("are complete and in order when 5,000 have one create time", async () => {
    const rare = (at: number): boolean => at % 100 === 7;
    const memories = Array.from({ length: 5000 }, (_, at) =>
      memory({ id: `m${at}`, tags: rare(at) ? ["rare"] : ["often"] }),
    );
    await write([...memories, memory({ id: "z", createTime: NOW + 1, tags: ["rare"] })]);
    const expected = [...oldestFirst(memories.filter((_, at) => rare(at))), "z"];
    expect(await pages({ ...ACTIVE_ONLY, tagsAll: ["rare"] }, 7)).toEqual([expected.toReversed(), expected]);
    expect(sorted).toBeGreaterThan(10);
    // Nearly all pass: read by a scan.
    sorted = 0;
    const [, often] = await pages({ ...ACTIVE_ONLY, tagsAll: ["often"] }, 400);
    expect(often).toEqual(oldestFirst(memories.filter((_, at) => !rare(at))));
    expect(sorted).toBe(0);
    // A common tag, all matches in one page, all of one create time.
    const all = await stores.memories.reader.list(scope, {
      filter: { ...ACTIVE_ONLY, tagsAny: ["often"] },
      limit: 10_000,
      now: NOW,
    });
    expect(all.map(({ id }) => id)).toEqual(often.toReversed());
  });

  it("come in pages of any size, as matchesFilter selects them", async () => {
    const integer = seededInteger(11);
    const random = () => integer(2 ** 30) / 2 ** 30;
    // Some expired, many with the same few create times, before and after 1970 and of different numbers of digits.
    const times = [-5, 0, 9, 10, 999, 1000, NOW - 2, NOW - 1, NOW];
    const memories = Array.from({ length: 400 }, (_, at) => ({
      ...randomMemory(random, `m${at}`),
      createTime: pick(random, times),
    }));
    await write(memories);
    let few = 0;
    for (let round = 0; round < 60; round += 1) {
      const { lastAccessTime: _, ...filter } = randomFilter(random, pick(random, memories));
      const limit = pick(random, [1, 2, 3, 10, 100, 1000]);
      const expected = oldestFirst(memories.filter((one) => matchesFilter(one, filter, NOW)));
      if (expected.length > 0 && expected.length < 40) few += 1;
      expect({ filter, limit, pages: await pages(filter, limit) }).toEqual({
        filter,
        limit,
        pages: [expected.toReversed(), expected],
      });
      expect(await stores.memories.reader.count(scope, filter, NOW)).toBe(expected.length);
    }
    expect(few).toBeGreaterThan(10);
    expect(sorted).toBeGreaterThan(10);
  });

  it("are read by the faster plan, also when the cached counters are stale", async () => {
    const filter = { ...ACTIVE_ONLY, tagsAll: ["t"] };
    const list = () => stores.memories.reader.list(scope, { filter, limit: 3, now: NOW });
    await write([memory({ id: "other" })]);
    expect(await list()).toEqual([]);
    await write(Array.from({ length: 1000 }, (_, at) => memory({ id: `m${at}`, tags: ["t"] })));
    for (const by of ["index", "walk"]) {
      sorted = 0;
      expect((await list()).map(({ id }) => id)).toEqual(["m999", "m998", "m997"]);
      expect({ by, sorted: sorted > 0 }).toEqual({ by, sorted: by === "index" });
    }
  });

  it("are counted by the index, without expired ones", async () => {
    await write([
      ...Array.from({ length: 20 }, (_, at) => memory({ id: `m${at}`, tags: ["t"] })),
      ...Array.from({ length: 20 }, (_, at) => memory({ id: `e${at}`, tags: ["t"], expireTime: NOW + 5 })),
    ]);
    const filter = { ...ACTIVE_ONLY, tagsAll: ["t"] };
    expect(await stores.memories.reader.count(scope, filter, NOW + 4)).toBe(40);
    expect(await stores.memories.reader.count(scope, filter, NOW + 5)).toBe(20);
    expect(await stores.memories.reader.count({ ...scope, namespace: "nowhere" }, filter, NOW)).toBe(0);
  });

  it("are purged, and nothing else", async () => {
    const memories = Array.from({ length: 1200 }, (_, at) =>
      memory({ id: `m${at}`, tags: at % 2 === 0 ? ["t"] : [] }),
    );
    await write(memories);
    const filter = { ...ACTIVE_ONLY, tagsAll: ["t"] };
    expect(await stores.memories.purge.run(scope, filter, { now: NOW })).toBe(600);
    const [, left] = await pages(ACTIVE_ONLY, 1000);
    expect(left).toEqual(oldestFirst(memories.filter((_, at) => at % 2 === 1)));
  });
});
