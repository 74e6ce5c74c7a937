import { describe, expect, it } from "vitest";
import type { CacheStore } from "../../../src/ports/cache/cache-store.ts";
import { cacheEntry, DAY, idempotentRequest, NOW } from "../../support/builders.ts";
import { findEntry, findNearest } from "../../support/cache-lookups.ts";
import {
  freshNamespaceKey,
  lookAlikeNamespaceKeys,
  nearestByScan,
  ODD_TEXTS,
  reasonOf,
  SIMILARITY_PLACES,
  type StoreUnderTest,
  useStore,
  vectorOf,
} from "../store-under-test.ts";
import { boundCases } from "./bound.ts";
import { deleteCases } from "./delete.ts";
import { evictionCases } from "./eviction.ts";
import { invalidationCases } from "./invalidation.ts";
import { listCases } from "./list.ts";
import { refreshCases } from "./refresh.ts";
import { reportCases } from "./reports.ts";
import { rereadCases } from "./reread.ts";
import { statsCases } from "./stats.ts";
import { ALL, BOUND, type CacheSubject, find, NEW, nearest, nearestIds, put, REPLACED } from "./support.ts";

/**
 * What every CacheStore promises, in the words of the port. `open` gives a store for vectors of
 * VECTOR_DIMENSION; it may hold data of others, for each test works in a scope of its own.
 */
export function cacheStoreContract(name: string, open: () => Promise<StoreUnderTest<CacheStore>>): void {
  describe(`CacheStore, ${name}`, () => {
    const subject = useStore(open);
    describe("an entry", () => entryCases(subject));
    describe("the nearest", () => nearestCases(subject));
    describe("an expired entry", () => expiryCases(subject));
    describe("retried requests", () => requestCases(subject));
    describe("a scope", () => isolationCases(subject));
    describe("a restart", () => durabilityCases(subject));
    listCases(subject);
    deleteCases(subject);
    invalidationCases(subject);
    reportCases(subject);
    boundCases(subject);
    evictionCases(subject);
    refreshCases(subject);
    rereadCases(subject);
    statsCases(subject);
  });
}

function entryCases(subject: CacheSubject): void {
  it("is found by its id as it was put", async () => {
    const full = cacheEntry({
      model: "m/1:x",
      tags: ["b", "a"],
      metadata: { zero: 0, no: false, nothing: null, list: [1, { a: "x" }], deep: { a: { b: 1.5 } } },
      usage: { promptTokens: 10, completionTokens: 20, generationMs: 1234, costUsd: 0.000123 },
      createTime: NOW - 5,
    });
    const plain = cacheEntry({ id: "e2" });
    expect(await put(subject, full, { vector: vectorOf(1) })).toEqual(NEW);
    expect(await put(subject, plain)).toEqual(NEW);
    expect(await find(subject, "e1")).toStrictEqual(full);
    expect(await find(subject, "e2")).toStrictEqual(plain);
    expect(await find(subject, "e3")).toBeUndefined();
  });

  it.each(ODD_TEXTS)("keeps odd texts in every field: %s", async (_name, text) => {
    const odd = cacheEntry({
      fingerprint: text,
      model: text,
      prompt: text,
      response: text,
      tags: [text],
      metadata: { [text]: { [text]: text } },
    });
    await put(subject, odd, { vector: vectorOf(1) });
    expect(await find(subject, "e1")).toStrictEqual(odd);
    expect(await nearestIds(subject, { fingerprint: text })).toEqual(["e1"]);
  });

  it("keeps a prompt of 256 KiB and a response of 1 MiB", async () => {
    const large = cacheEntry({ prompt: "é🎉 word ".repeat(20_000), response: "é🎉 word ".repeat(80_000) });
    await put(subject, large);
    const found = await find(subject, "e1");
    expect(found?.prompt === large.prompt && found.response === large.response).toBe(true);
    expect(found?.analysis).toEqual(large.analysis);
  });

  it("replaces the one with its id, with all that belonged to it", async () => {
    const old = cacheEntry({
      tags: ["old"],
      metadata: { old: true },
      usage: { promptTokens: 1, completionTokens: 1, generationMs: 1, costUsd: 1 },
    });
    const now = cacheEntry({
      response: "another",
      model: "another",
      createTime: NOW + 1,
      expireTime: NOW + 2 * DAY,
    });
    expect(await put(subject, old)).toEqual(NEW);
    expect(await put(subject, now)).toEqual(REPLACED);
    expect(await find(subject, "e1")).toStrictEqual(now);
    expect(await put(subject, old)).toEqual(REPLACED);
    expect(await find(subject, "e1")).toStrictEqual(old);
  });

  it("leaves its old vector when it is replaced", async () => {
    await put(subject, cacheEntry(), { vector: vectorOf(1) });
    await put(subject, cacheEntry(), { vector: vectorOf(2) });
    const [found, ...more] = await nearest(subject, { vector: vectorOf(2) });
    expect(more).toEqual([]);
    expect(found?.similarity).toBeCloseTo(1, SIMILARITY_PLACES);
    await put(subject, cacheEntry());
    expect(await nearestIds(subject, { vector: vectorOf(2) })).toEqual([]);
    expect(await find(subject, "e1")).toEqual(cacheEntry());
  });

  it("leaves its old fingerprint when it is replaced", async () => {
    await put(subject, cacheEntry({ fingerprint: "old" }), { vector: vectorOf(1) });
    const now = cacheEntry({ fingerprint: "new" });
    await put(subject, now, { vector: vectorOf(1) });
    expect(await nearestIds(subject, { fingerprint: "old" })).toEqual([]);
    expect(await nearest(subject, { fingerprint: "new" })).toMatchObject([{ entry: now }]);
  });

  it("without vector is found by its id only", async () => {
    await put(subject, cacheEntry());
    await put(subject, cacheEntry({ id: "e2" }), { vector: vectorOf(2) });
    expect(await find(subject, "e1")).toEqual(cacheEntry());
    expect(await nearestIds(subject)).toEqual(["e2"]);
  });

  it("is new to exactly one of many that put it at the same time", async () => {
    const outcomes = await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        put(subject, cacheEntry({ response: `r${index}` }), { vector: vectorOf(index) }),
      ),
    );
    expect(outcomes.filter(({ replaced }) => !replaced)).toHaveLength(1);
    const [found, ...more] = await nearest(subject);
    expect(more).toEqual([]);
    expect(found?.entry).toEqual(await find(subject, "e1"));
  });
}

function nearestCases(subject: CacheSubject): void {
  it("are those of an exact scan, nearest first, up to the limit", async () => {
    const vectors = new Map(
      Array.from({ length: 120 }, (_, index) => [`e${index}`, vectorOf(index)] as const),
    );
    await Promise.all([...vectors].map(([id, vector]) => put(subject, cacheEntry({ id }), { vector })));
    for (const seed of [1001, 1002, 1003]) {
      for (const limit of [1, 3, 50, 400]) {
        const query = vectorOf(seed);
        const found = await nearest(subject, { vector: query, limit });
        const expected = nearestByScan(query, vectors, limit);
        expect(found.map(({ entry }) => entry.id)).toEqual(expected.map(({ id }) => id));
        for (const [index, { similarity }] of found.entries()) {
          expect(similarity).toBeCloseTo(expected[index]?.similarity ?? Number.NaN, SIMILARITY_PLACES);
        }
      }
    }
  });

  it("are complete", async () => {
    const entry = cacheEntry({ tags: ["a"], metadata: { a: [1] } });
    await put(subject, entry, { vector: vectorOf(1) });
    expect((await nearest(subject)).map((neighbour) => neighbour.entry)).toStrictEqual([entry]);
  });

  it("have a similarity from -1 to 1", async () => {
    const vector = vectorOf(1);
    await put(subject, cacheEntry({ id: "same" }), { vector });
    await put(subject, cacheEntry({ id: "opposite" }), { vector: vector.map((value) => -value) });
    const found = await nearest(subject, { vector });
    expect(found.map(({ entry }) => entry.id)).toEqual(["same", "opposite"]);
    expect(found[0]?.similarity).toBeCloseTo(1, SIMILARITY_PLACES);
    expect(found[1]?.similarity).toBeCloseTo(-1, SIMILARITY_PLACES);
    expect(found.filter(({ similarity }) => Math.abs(similarity) > 1)).toEqual([]);
  });

  it("are all of several with the same vector", async () => {
    for (const id of ["a", "b", "c"]) await put(subject, cacheEntry({ id }), { vector: vectorOf(1) });
    expect((await nearestIds(subject)).sort()).toEqual(["a", "b", "c"]);
    expect(await nearestIds(subject, { limit: 2 })).toHaveLength(2);
  });

  it("are of one fingerprint, however near others are", async () => {
    const vector = vectorOf(1);
    const fingerprints = ["f", "F", "f ", "f1", "1", "f,1", "f|1", "*", "{f}", '"f"', "é"];
    for (const fingerprint of fingerprints) {
      for (const copy of [1, 2, 3, 4]) {
        await put(subject, cacheEntry({ id: `${copy} of ${fingerprint}`, fingerprint }), { vector });
      }
    }
    await put(subject, cacheEntry({ id: "far", fingerprint: "g" }), {
      vector: vector.map((value) => -value),
    });
    for (const fingerprint of fingerprints) {
      const ids = (await nearestIds(subject, { fingerprint, vector })).sort();
      expect(ids).toEqual([1, 2, 3, 4].map((copy) => `${copy} of ${fingerprint}`));
    }
    expect(await nearestIds(subject, { fingerprint: "g", vector, limit: 1 })).toEqual(["far"]);
    expect(await nearestIds(subject, { fingerprint: "unknown", vector })).toEqual([]);
  });

  it("see each put that has resolved", async () => {
    expect(await nearestIds(subject)).toEqual([]);
    for (const [index, id] of ["a", "b", "c"].entries()) {
      await put(subject, cacheEntry({ id }), { vector: vectorOf(1) });
      expect(await nearestIds(subject)).toHaveLength(index + 1);
    }
  });
}

function expiryCases(subject: CacheSubject): void {
  const END = NOW + 1000;

  it("is hidden in find and among the nearest from its expire time on, not before", async () => {
    await put(subject, cacheEntry({ id: "ends", expireTime: END }), { vector: vectorOf(1) });
    await put(subject, cacheEntry({ id: "stays" }), { vector: vectorOf(2) });
    const seenAt = async (now: number) => ({
      find: [await find(subject, "ends", now), await find(subject, "stays", now)].map((one) => one?.id),
      nearest: (await nearestIds(subject, {}, now)).sort(),
    });
    expect(await seenAt(END - 1)).toEqual({ find: ["ends", "stays"], nearest: ["ends", "stays"] });
    expect(await seenAt(END)).toEqual({ find: [undefined, "stays"], nearest: ["stays"] });
    expect(await seenAt(END + 1)).toEqual({ find: [undefined, "stays"], nearest: ["stays"] });
  });

  it("is not counted as replaced", async () => {
    const now = cacheEntry({ response: "another" });
    await put(subject, cacheEntry({ id: "e1", expireTime: END }), { vector: vectorOf(1) });
    await put(subject, cacheEntry({ id: "e2", expireTime: END }));
    expect(await put(subject, cacheEntry({ id: "e2", expireTime: END }), { now: END - 1 })).toEqual(REPLACED);
    expect(await put(subject, now, { now: END })).toEqual(NEW);
    expect(await find(subject, "e1", END)).toEqual(now);
    expect(await nearestIds(subject, {}, END)).toEqual([]);
  });

  it("leaves room for others and for itself, however many expire at once", async () => {
    const ids = Array.from({ length: 100 }, (_, index) => `e${index}`);
    const vector = vectorOf(1);
    await Promise.all(ids.map((id) => put(subject, cacheEntry({ id, expireTime: END }), { vector })));
    await put(subject, cacheEntry({ id: "stays" }), { vector: vector.map((value) => -value) });
    expect(await nearestIds(subject, { vector, limit: 1 }, END)).toEqual(["stays"]);
    const outcomes = await Promise.all(
      [...ids].reverse().map((id) => put(subject, cacheEntry({ id, response: "new" }), { now: END })),
    );
    expect(outcomes.filter(({ replaced }) => replaced)).toEqual([]);
    expect(await nearestIds(subject, { vector }, END)).toEqual(["stays"]);
    for (const id of ids) expect((await find(subject, id, END))?.response).toBe("new");
  });
}

function requestCases(subject: CacheSubject): void {
  const request = idempotentRequest();

  it("answer what the first did, and change nothing", async () => {
    expect(await put(subject, cacheEntry({ response: "first" }), { request })).toEqual(NEW);
    expect(await put(subject, cacheEntry({ response: "second" }), { request })).toEqual(NEW);
    expect(await put(subject, cacheEntry({ id: "e2" }), { request })).toEqual(NEW);
    expect((await find(subject, "e1"))?.response).toBe("first");
    expect(await find(subject, "e2")).toBeUndefined();
  });

  it("answer that an entry was replaced, as the first did", async () => {
    await put(subject, cacheEntry());
    expect(await put(subject, cacheEntry({ response: "first" }), { request })).toEqual(REPLACED);
    expect(await put(subject, cacheEntry({ response: "second" }), { request })).toEqual(REPLACED);
    expect((await find(subject, "e1"))?.response).toBe("first");
  });

  it("return the entry as it is now, and none when it was deleted", async () => {
    const again = (response: string): ReturnType<typeof subject.store.put> =>
      subject.store.put(subject.scope, cacheEntry({ response }), { ...BOUND, now: NOW, request });
    expect((await again("first")).entry.response).toBe("first");
    await put(subject, cacheEntry({ response: "between" }));
    expect((await again("first")).entry.response).toBe("between");
    await subject.store.delete(subject.scope, "e1", { now: NOW });
    expect(await reasonOf(again("first"))).toBe("CACHE_ENTRY_NOT_FOUND");
  });

  it("do not overwrite entries that were put in between", async () => {
    await put(subject, cacheEntry({ response: "first" }), { request, vector: vectorOf(1) });
    await put(subject, cacheEntry({ response: "between" }));
    await put(subject, cacheEntry({ response: "first" }), { request, vector: vectorOf(1) });
    expect((await find(subject, "e1"))?.response).toBe("between");
    expect(await nearestIds(subject)).toEqual([]);
  });

  it("answer alike to ten at the same time", async () => {
    const outcomes = await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        put(subject, cacheEntry({ id: `e${index}` }), { request, vector: vectorOf(1) }),
      ),
    );
    expect(outcomes).toEqual(Array.from({ length: 10 }, () => NEW));
    expect(await nearestIds(subject)).toHaveLength(1);
  });

  it("reject with REQUEST_ID_REUSED another body, and change nothing", async () => {
    await put(subject, cacheEntry({ response: "first" }), { request });
    const reused = put(subject, cacheEntry({ response: "second" }), {
      request: { ...request, bodyHash: "another" },
    });
    expect(await reasonOf(reused)).toBe("REQUEST_ID_REUSED");
    expect((await find(subject, "e1"))?.response).toBe("first");
  });

  it("are recorded until their expire time, and new from then on", async () => {
    const shortLived = { ...request, expireTime: NOW + 10 };
    await put(subject, cacheEntry({ response: "first" }), { request: shortLived });
    await put(subject, cacheEntry({ response: "second" }), { request: shortLived, now: NOW + 9 });
    expect((await find(subject, "e1"))?.response).toBe("first");
    const later = { ...request, bodyHash: "another", expireTime: NOW + 20 };
    expect(await put(subject, cacheEntry({ response: "third" }), { request: later, now: NOW + 10 })).toEqual(
      REPLACED,
    );
    expect((await find(subject, "e1"))?.response).toBe("third");
  });

  it("differ by key, and are not recorded without one", async () => {
    await put(subject, cacheEntry({ response: "first" }), { request });
    await put(subject, cacheEntry({ response: "second" }), { request: { ...request, key: "another" } });
    expect((await find(subject, "e1"))?.response).toBe("second");
    await put(subject, cacheEntry({ response: "third" }));
    expect((await find(subject, "e1"))?.response).toBe("third");
  });

  it("differ by namespace and tenant", async () => {
    const { store } = subject;
    for (const scope of lookAlikeNamespaceKeys()) {
      const entry = cacheEntry({ response: scope.namespace });
      expect(await store.put(scope, entry, { ...BOUND, now: NOW, request })).toMatchObject(NEW);
      expect(await findEntry(store, scope, "e1", NOW)).toEqual(entry);
    }
  });
}

function isolationCases(subject: CacheSubject): void {
  it("that was never written to is empty", async () => {
    expect(await find(subject, "e1")).toBeUndefined();
    expect(await nearest(subject)).toEqual([]);
  });

  it("sees nothing of another, though ids, fingerprints and vectors be the same", async () => {
    const { store } = subject;
    const scopes = lookAlikeNamespaceKeys();
    const [vector, query] = [vectorOf(1), { fingerprint: "f1", vector: vectorOf(1), limit: ALL }];
    const entryOf = (index: number) => cacheEntry({ response: `of ${index}` });
    for (const [index, scope] of scopes.entries()) {
      expect(await findEntry(store, scope, "e1", NOW)).toBeUndefined();
      expect(await findNearest(store, scope, query, NOW)).toEqual([]);
      expect(await store.lookup(scope, { id: "e1", nearest: query }, NOW)).toMatchObject({
        exact: undefined,
        nearest: [],
        policy: {},
      });
      expect(await store.put(scope, entryOf(index), { ...BOUND, vector, now: NOW })).toMatchObject(NEW);
    }
    for (const [index, scope] of scopes.entries()) {
      expect(await findEntry(store, scope, "e1", NOW)).toEqual(entryOf(index));
      expect((await findNearest(store, scope, query, NOW)).map(({ entry }) => entry)).toEqual([
        entryOf(index),
      ]);
      expect(await store.lookup(scope, { id: "e1", nearest: query }, NOW)).toMatchObject({
        exact: entryOf(index),
        nearest: [{ entry: entryOf(index) }],
      });
    }
  });

  it("is replaced in alone", async () => {
    const { store } = subject;
    const [first, ...others] = lookAlikeNamespaceKeys();
    for (const scope of [first, ...others]) {
      await store.put(scope, cacheEntry(), { ...BOUND, vector: vectorOf(1), now: NOW });
    }
    await store.put(first, cacheEntry({ response: "another" }), { ...BOUND, now: NOW });
    expect((await findEntry(store, first, "e1", NOW))?.response).toBe("another");
    for (const scope of others) {
      expect(await findEntry(store, scope, "e1", NOW)).toEqual(cacheEntry());
      const query = { fingerprint: "f1", vector: vectorOf(1), limit: ALL };
      expect(await findNearest(store, scope, query, NOW)).toHaveLength(1);
    }
  });

  it("is not crowded out by nearer entries of another", async () => {
    const vector = vectorOf(1);
    const other = freshNamespaceKey();
    const crowd = Array.from({ length: 40 }, (_, index) => cacheEntry({ id: `c${index}` }));
    await Promise.all(crowd.map((entry) => subject.store.put(other, entry, { ...BOUND, vector, now: NOW })));
    await put(subject, cacheEntry({ id: "far" }), { vector: vector.map((value) => -value) });
    expect(await nearestIds(subject, { vector, limit: 1 })).toEqual(["far"]);
  });
}

function durabilityCases(subject: CacheSubject): void {
  it("keeps entries, by id and by vector", async () => {
    const entries = Array.from({ length: 10 }, (_, index) =>
      cacheEntry({ id: `e${index}`, response: `東京 ${index}` }),
    );
    await Promise.all(entries.map((entry, index) => put(subject, entry, { vector: vectorOf(index) })));
    await put(subject, cacheEntry({ id: "plain" }));
    const before = await nearest(subject, { vector: vectorOf(3) });
    await subject.reopen();
    const after = await nearest(subject, { vector: vectorOf(3) });
    expect(after).toEqual(before);
    expect(after).toHaveLength(10);
    expect(after[0]?.entry).toEqual(entries[3]);
    expect(await find(subject, "e7")).toEqual(entries[7]);
    expect(await find(subject, "plain")).toEqual(cacheEntry({ id: "plain" }));
  });

  it("keeps what replaced another, and knows it as there", async () => {
    await put(subject, cacheEntry({ response: "first" }), { vector: vectorOf(1) });
    await put(subject, cacheEntry({ response: "second" }));
    await subject.reopen();
    expect((await find(subject, "e1"))?.response).toBe("second");
    expect(await nearestIds(subject)).toEqual([]);
    expect(await put(subject, cacheEntry())).toEqual(REPLACED);
  });

  it("keeps idempotency records", async () => {
    const request = idempotentRequest();
    await put(subject, cacheEntry({ response: "first" }), { request });
    await subject.reopen();
    expect(await put(subject, cacheEntry({ response: "second" }), { request })).toEqual(NEW);
    expect((await find(subject, "e1"))?.response).toBe("first");
    const reused = put(subject, cacheEntry(), { request: { ...request, bodyHash: "another" } });
    expect(await reasonOf(reused)).toBe("REQUEST_ID_REUSED");
  });
}
