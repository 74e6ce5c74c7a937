import { describe, expect, it } from "vitest";
import type { InvalidationFilter } from "../../../src/domain/cache/invalidation.ts";
import { knowledgeDigest } from "../../../src/domain/cache/invalidation.ts";
import type { IdempotentRequest } from "../../../src/ports/idempotency.ts";
import { cacheEntry, DAY, idempotentRequest, NOW } from "../../support/builders.ts";
import { findEntry } from "../../support/cache-lookups.ts";
import { lookAlikeNamespaceKeys, reasonOf, vectorOf } from "../store-under-test.ts";
import {
  ALL,
  BOUND,
  type CacheSubject,
  find,
  list,
  listedIds,
  NEW,
  nearestIds,
  put,
  stats,
} from "./support.ts";

const V1 = knowledgeDigest("v1");
const V2 = knowledgeDigest("v2");

/** The contract of CacheStore.invalidate and countMatching. */
export function invalidationCases(subject: CacheSubject): void {
  const invalidate = (
    filter: InvalidationFilter = {},
    { now = NOW + 1, request }: { readonly now?: number; readonly request?: IdempotentRequest } = {},
  ): Promise<void> =>
    subject.store.invalidate(subject.scope, filter, { now, ...(request === undefined ? {} : { request }) });
  const matching = (filter: InvalidationFilter, now = NOW): Promise<number> =>
    subject.store.countMatching(subject.scope, filter, now);
  const generation = async (): Promise<number> =>
    (await subject.store.lookup(subject.scope, { id: "absent" }, NOW)).generation;

  /** One entry for each condition, and some that meet several. */
  const ENTRIES = [
    cacheEntry({ id: "plain" }),
    cacheEntry({ id: "tag-a", tags: ["a"] }),
    cacheEntry({ id: "tags-ab", tags: ["b", "a"] }),
    cacheEntry({ id: "model-m", model: "m", fingerprint: "f2" }),
    cacheEntry({ id: "model-m-a", model: "m", fingerprint: "f2", tags: ["a"] }),
    cacheEntry({ id: "v1", knowledge: V1, fingerprint: "f3" }),
    cacheEntry({ id: "v1-m-b", knowledge: V1, model: "m", fingerprint: "f4", tags: ["b"] }),
    cacheEntry({ id: "v2", knowledge: V2, fingerprint: "f5" }),
  ];
  const IDS = ENTRIES.map(({ id }) => id);
  const putAll = async (): Promise<void> => {
    await Promise.all(ENTRIES.map((entry) => put(subject, entry, { vector: vectorOf(1) })));
  };
  /** The ids that every way of reading finds. */
  const found = async (): Promise<string[]> => {
    const listed = (await listedIds(subject)).sort();
    const exact: string[] = [];
    const near: string[] = [];
    for (const { id, fingerprint } of ENTRIES) {
      if ((await find(subject, id)) !== undefined) exact.push(id);
      if ((await nearestIds(subject, { fingerprint })).includes(id)) near.push(id);
    }
    expect(exact.sort()).toEqual(listed);
    expect(near.sort()).toEqual(listed);
    expect((await stats(subject)).entryCount).toBe(listed.length);
    expect(await matching({})).toBe(listed.length);
    return listed;
  };

  describe("an invalidation", () => {
    it.each<[string, InvalidationFilter, readonly string[]]>([
      ["without a condition: all", {}, IDS],
      ["of a model", { model: "m" }, ["model-m", "model-m-a", "v1-m-b"]],
      ["of a tag", { tagsAny: ["a"] }, ["tag-a", "tags-ab", "model-m-a"]],
      [
        "of any of several tags",
        { tagsAny: ["b", "none", "a"] },
        ["tag-a", "tags-ab", "model-m-a", "v1-m-b"],
      ],
      ["of a knowledge version", { knowledge: V1 }, ["v1", "v1-m-b"]],
      ["of a model and a tag: both", { model: "m", tagsAny: ["a"] }, ["model-m-a"]],
      ["of a model and any of several tags", { model: "m", tagsAny: ["a", "b"] }, ["model-m-a", "v1-m-b"]],
      ["of a model and a knowledge version", { model: "m", knowledge: V1 }, ["v1-m-b"]],
      ["of a tag and a knowledge version", { knowledge: V1, tagsAny: ["b", "x"] }, ["v1-m-b"]],
      ["of all conditions", { model: "m", knowledge: V1, tagsAny: ["b"] }, ["v1-m-b"]],
      ["that nothing meets", { model: "m", knowledge: V2 }, []],
      ["of a name that is part of another", { model: "a-mode" }, []],
      ["of a tag that looks like a separator", { tagsAny: ["*"] }, []],
    ])("%s", async (_, filter, expected) => {
      await putAll();
      expect(await found()).toEqual([...IDS].sort());
      expect(await matching(filter)).toBe(expected.length);
      await invalidate(filter);
      const left = IDS.filter((id) => !expected.includes(id)).sort();
      expect(await found()).toEqual(left);
      expect(await matching(filter)).toBe(0);
      await subject.reopen();
      expect(await found()).toEqual(left);
    });

    it("does not affect what is stored afterwards, under the same ids too", async () => {
      await putAll();
      await invalidate();
      const again = cacheEntry({ id: "tag-a", tags: ["a"], response: "new" });
      // At the time of the invalidation, and before it by a clock that is behind.
      expect(await put(subject, again, { vector: vectorOf(1), now: NOW + 1 })).toEqual(NEW);
      expect(await put(subject, cacheEntry({ id: "plain" }), { now: NOW - 10 })).toEqual(NEW);
      expect((await find(subject, "tag-a"))?.response).toBe("new");
      expect(await nearestIds(subject)).toEqual(["tag-a"]);
      expect((await listedIds(subject)).sort()).toEqual(["plain", "tag-a"]);
      await subject.reopen();
      expect((await listedIds(subject)).sort()).toEqual(["plain", "tag-a"]);
    });

    it("is followed by others, each of its own", async () => {
      await putAll();
      await Promise.all([
        invalidate({ model: "m" }),
        invalidate({ tagsAny: ["b"] }),
        invalidate({ knowledge: V2 }),
      ]);
      await put(subject, cacheEntry({ id: "v2", knowledge: V2, fingerprint: "f5" }), { vector: vectorOf(1) });
      expect(await found()).toEqual(["plain", "tag-a", "v1", "v2"]);
      await invalidate({ tagsAny: ["a"] });
      expect(await found()).toEqual(["plain", "v1", "v2"]);
    });

    it("is seen by a lookup that has found the entry before", async () => {
      await put(subject, cacheEntry(), { vector: vectorOf(1) });
      for (let round = 0; round < 3; round += 1) {
        expect((await find(subject, "e1"))?.id).toBe("e1");
        expect(await nearestIds(subject)).toEqual(["e1"]);
        await invalidate({ tagsAny: ["other"] });
      }
      expect((await find(subject, "e1"))?.id).toBe("e1");
      await invalidate({ model: "a-model" });
      expect(await find(subject, "e1")).toBeUndefined();
      expect(await nearestIds(subject)).toEqual([]);
    });

    it("of many leaves room for as many, and evicts none of them", async () => {
      const many = Array.from({ length: 150 }, (_, index) => `e${index}`);
      await Promise.all(
        many.map((id) => put(subject, cacheEntry({ id }), { vector: vectorOf(1), maxEntries: 150 })),
      );
      await invalidate();
      for (const id of many.slice(0, 20)) {
        const outcome = await put(subject, cacheEntry({ id: `new-${id}` }), {
          maxEntries: 150,
          vector: vectorOf(2),
        });
        expect(outcome).toEqual(NEW);
      }
      expect(await stats(subject)).toMatchObject({ entryCount: 20, evictions: 0 });
      expect(await nearestIds(subject, { vector: vectorOf(1), limit: 3 })).toHaveLength(3);
      expect(await listedIds(subject, { limit: 5 })).toHaveLength(5);
      expect((await list(subject, { limit: 20 })).more).toBe(false);
      await Promise.all(
        many.slice(0, 130).map((id) => put(subject, cacheEntry({ id: `later-${id}` }), { maxEntries: 150 })),
      );
      expect(await stats(subject)).toMatchObject({ entryCount: 150, evictions: 0 });
    });

    it("does not bring back what is deleted, replaced or expired", async () => {
      await putAll();
      await invalidate({ model: "m" });
      expect(await reasonOf(subject.store.delete(subject.scope, "model-m", { now: NOW }))).toBe(
        "CACHE_ENTRY_NOT_FOUND",
      );
      await subject.store.delete(subject.scope, "plain", { now: NOW });
      await put(subject, cacheEntry({ id: "v2", expireTime: NOW + 10 }));
      expect((await listedIds(subject, { now: NOW + 10 })).sort()).toEqual(["tag-a", "tags-ab", "v1"]);
      expect(await matching({ tagsAny: ["a"] }, NOW + 10)).toBe(2);
    });

    it("is of one namespace alone", async () => {
      const { store } = subject;
      const [first, ...others] = lookAlikeNamespaceKeys();
      for (const scope of [first, ...others]) await store.put(scope, cacheEntry(), { ...BOUND, now: NOW });
      await store.invalidate(first, {}, { now: NOW });
      expect(await findEntry(store, first, "e1", NOW)).toBeUndefined();
      expect(await store.countMatching(first, {}, NOW)).toBe(0);
      for (const scope of others) {
        expect(await findEntry(store, scope, "e1", NOW)).toEqual(cacheEntry());
        expect(await store.countMatching(scope, {}, NOW)).toBe(1);
        expect((await store.lookup(scope, { id: "e1" }, NOW)).generation).toBe(0);
      }
    });

    it("of a namespace that does not exist does nothing, and does not create it", async () => {
      const request = idempotentRequest();
      await invalidate({}, { request });
      expect(await matching({})).toBe(0);
      expect(await generation()).toBe(0);
      await put(subject, cacheEntry());
      await invalidate({}, { request });
      expect((await find(subject, "e1"))?.id).toBe("e1");
    });

    it("that is retried with its request_id invalidates nothing more, after a restart too", async () => {
      const request = idempotentRequest();
      await put(subject, cacheEntry());
      await Promise.all(Array.from({ length: 5 }, () => invalidate({}, { request })));
      expect(await find(subject, "e1")).toBeUndefined();
      const before = await generation();
      await put(subject, cacheEntry());
      await subject.reopen();
      await invalidate({}, { request });
      expect((await find(subject, "e1"))?.id).toBe("e1");
      expect(await generation()).toBe(before);
      const reused = invalidate({}, { request: { ...request, bodyHash: "another" } });
      expect(await reasonOf(reused)).toBe("REQUEST_ID_REUSED");
    });
  });

  describe("the generation", () => {
    it("rises with each invalidation, over a restart and by a clock that stands or goes back", async () => {
      await put(subject, cacheEntry());
      expect(await generation()).toBe(0);
      await invalidate();
      expect(await generation()).toBe(NOW + 1);
      await invalidate({ tagsAny: ["a"] });
      await invalidate({ model: "m" }, { now: NOW - DAY });
      expect(await generation()).toBe(NOW + 3);
      await subject.reopen();
      expect(await generation()).toBe(NOW + 3);
      const query = { fingerprint: "f1", vector: vectorOf(1), limit: ALL };
      const both = await subject.store.lookup(subject.scope, { id: "e1", nearest: query }, NOW);
      expect(both.generation).toBe(NOW + 3);
    });
  });

  describe("an answer of an earlier decision", () => {
    const late = async (given: Parameters<typeof cacheEntry>[0], decidedAt: number): Promise<string> => {
      const putting = subject.store.put(subject.scope, cacheEntry({ id: "late", ...given }), {
        ...BOUND,
        now: NOW,
        decidedAt,
      });
      return (await reasonOf(putting)) ?? "stored";
    };

    it("is refused when a later invalidation matches it, also when that was long swept", async () => {
      await putAll();
      const before = await generation();
      await invalidate({ model: "m", tagsAny: ["a"] });
      const after = await generation();
      for (let round = 0; round < 2; round += 1) {
        expect(await late({ model: "m", tags: ["a"] }, before)).toBe("CACHE_INVALIDATED");
        expect(await late({ model: "m", tags: ["x", "a"], knowledge: V1 }, before)).toBe("CACHE_INVALIDATED");
        expect(await find(subject, "late")).toBeUndefined();
        expect(await late({ model: "m", tags: ["a"] }, after)).toBe("stored");
        expect(await late({ model: "m", tags: ["b"] }, before)).toBe("stored");
        expect(await late({ tags: ["a"] }, before)).toBe("stored");
        await subject.store.delete(subject.scope, "late", { now: NOW });
        await stats(subject);
        await subject.reopen();
      }
    });

    it("replaces nothing when it is refused, and its request is not recorded", async () => {
      const request = idempotentRequest();
      await put(subject, cacheEntry({ response: "old" }));
      await invalidate();
      await put(subject, cacheEntry({ response: "new" }));
      const refused = subject.store.put(subject.scope, cacheEntry({ response: "late" }), {
        ...BOUND,
        now: NOW,
        decidedAt: 0,
        request,
      });
      expect(await reasonOf(refused)).toBe("CACHE_INVALIDATED");
      expect((await find(subject, "e1"))?.response).toBe("new");
      await put(subject, cacheEntry({ response: "right" }), { request });
      expect((await find(subject, "e1"))?.response).toBe("right");
    });

    it("is stored where nothing was invalidated", async () => {
      expect(await late({}, 0)).toBe("stored");
      expect(await late({}, NOW)).toBe("stored");
    });
  });
}
