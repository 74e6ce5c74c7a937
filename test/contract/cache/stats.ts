import { describe, expect, it } from "vitest";
import { entryBytes } from "../../../src/domain/cache/entry.ts";
import { detailsFrom } from "../../../src/domain/cache/statistics.ts";
import { cacheEntry, idempotentRequest, NOW } from "../../support/builders.ts";
import { lookAlikeNamespaceKeys, VECTOR_DIMENSION, vectorOf } from "../store-under-test.ts";
import { BOUND, type CacheSubject, count, put, stats } from "./support.ts";

const NOTHING = {
  entryCount: 0,
  byteCount: 0,
  exactHits: 0,
  semanticHits: 0,
  misses: 0,
  stores: 0,
  evictions: 0,
  details: detailsFrom(new Map()),
};

/** The contract of CacheStore.stats. */
export function statsCases(subject: CacheSubject): void {
  describe("the stats", () => {
    it("know no lookup from before the namespace was there", async () => {
      count(subject, { kind: "MISS" });
      await put(subject, cacheEntry());
      count(subject, { kind: "MISS" });
      expect(await stats(subject)).toMatchObject({ misses: 1 });
    });

    it("are all zero where nothing was written, though lookups were counted there", async () => {
      expect(await stats(subject)).toEqual(NOTHING);
      count(subject, { kind: "MISS" });
      count(subject, { kind: "EXACT", id: "e1" });
      expect(await stats(subject)).toEqual(NOTHING);
      await put(subject, cacheEntry());
      expect(await stats(subject)).toMatchObject({ entryCount: 1, stores: 1, misses: 0, exactHits: 0 });
    });

    it("know every lookup that was counted before", async () => {
      await put(subject, cacheEntry());
      // More than any batch, and a rest.
      for (let index = 0; index < 2500; index += 1) count(subject, { kind: "EXACT", id: "e1" }, NOW + index);
      for (let index = 0; index < 70; index += 1) count(subject, { kind: "SEMANTIC", id: `e${index}` });
      count(subject, { kind: "MISS" });
      expect(await stats(subject)).toMatchObject({ exactHits: 2500, semanticHits: 70, misses: 1 });
      count(subject, { kind: "MISS" });
      expect(await stats(subject)).toMatchObject({ exactHits: 2500, semanticHits: 70, misses: 2 });
    });

    it("count the bytes of prompts, responses, tags, metadata and vectors", async () => {
      const full = cacheEntry({ prompt: "é", response: "🎉", tags: ["ab", "ü"], metadata: { a: "é" } });
      await put(subject, full, { vector: vectorOf(1) });
      expect(entryBytes(full, VECTOR_DIMENSION)).toBe(2 + 4 + 2 + 2 + 10 + 4 * VECTOR_DIMENSION);
      expect(await stats(subject)).toMatchObject({ byteCount: entryBytes(full, VECTOR_DIMENSION) });
      const plain = cacheEntry({ id: "e2" });
      await put(subject, plain);
      await put(subject, full);
      expect(await stats(subject)).toMatchObject({
        entryCount: 2,
        byteCount: entryBytes(full, 0) + entryBytes(plain, 0),
        stores: 3,
      });
    });

    it("leave out what has expired, swept or not", async () => {
      const ends = cacheEntry({ id: "ends", expireTime: NOW + 10 });
      const stays = cacheEntry({ id: "stays" });
      await put(subject, ends);
      await put(subject, stays);
      expect(await stats(subject, NOW + 9)).toMatchObject({ entryCount: 2, stores: 2 });
      const left = { entryCount: 1, byteCount: entryBytes(stays, 0) };
      expect(await stats(subject, NOW + 10)).toMatchObject({ ...left, stores: 2, evictions: 0 });
      await put(subject, stays, { now: NOW + 10 });
      expect(await stats(subject, NOW + 10)).toMatchObject({ ...left, stores: 3, evictions: 0 });
    });

    it("count what a request stored once", async () => {
      const request = idempotentRequest();
      await Promise.all(Array.from({ length: 10 }, () => put(subject, cacheEntry(), { request })));
      expect(await stats(subject)).toMatchObject({ entryCount: 1, stores: 1 });
    });

    it("know the reasons of misses, what the guard refused, and what served answers had cost", async () => {
      await put(subject, cacheEntry());
      count(subject, { kind: "MISS", reason: "NOT_FOUND" });
      count(subject, { kind: "MISS", reason: "GUARD", guardReasons: ["NUMBER", "DATE"] });
      count(subject, { kind: "MISS", reason: "GUARD", guardReasons: ["NUMBER"] });
      const usage = { promptTokens: 10, completionTokens: 4, generationMs: 1500, costUsd: 0.25 };
      for (let hit = 0; hit < 3; hit += 1) count(subject, { kind: "EXACT", id: "e1", usage });
      count(subject, { kind: "SEMANTIC", id: "e1" });
      const expected = {
        misses: 3,
        exactHits: 3,
        semanticHits: 1,
        details: {
          ...NOTHING.details,
          missReasons: { NOT_FOUND: 1, GUARD: 2 },
          guardReasons: { NUMBER: 2, DATE: 1 },
          saved: { promptTokens: 30, completionTokens: 12, generationMs: 4500, costUsd: 0.75 },
        },
      };
      expect(await stats(subject)).toMatchObject(expected);
      await subject.reopen();
      expect(await stats(subject)).toMatchObject(expected);
    });

    it("know why entries were removed, whether their space is freed or not", async () => {
      const { store, scope } = subject;
      const removed = async (now = NOW) => (await stats(subject, now)).details.removed;
      for (const id of ["a", "b", "c"]) await put(subject, cacheEntry({ id, expireTime: NOW + 10 }));
      for (const id of ["d", "e"])
        await put(subject, cacheEntry({ id, tags: ["x"] }), { vector: vectorOf(1) });
      await put(subject, cacheEntry({ id: "f" }));
      expect(await removed()).toEqual({ expired: 0, invalidated: 0, quarantined: 0 });
      await store.invalidate(scope, { tagsAny: ["x"] }, { now: NOW });
      expect(await removed()).toEqual({ expired: 0, invalidated: 2, quarantined: 0 });
      // Replaced when it had expired, and when it was invalidated.
      await put(subject, cacheEntry({ id: "a" }), { now: NOW + 10 });
      await put(subject, cacheEntry({ id: "d" }), { now: NOW + 10 });
      expect(await removed(NOW + 10)).toEqual({ expired: 3, invalidated: 2, quarantined: 0 });
      await store.delete(scope, "a", { now: NOW + 10 });
      const report = { outcome: "INCORRECT" as const, entryId: "f", createTime: NOW, similarity: 1 };
      await store.report(scope, { ...report, promptId: "p", reporter: "r" }, { now: NOW + 10 });
      await store.report(scope, { ...report, promptId: "p", reporter: "s" }, { now: NOW + 10 });
      await store.report(
        scope,
        { ...report, outcome: "CORRECT", promptId: "p", reporter: "s" },
        { now: NOW + 10 },
      );
      const { details } = await stats(subject, NOW + 10);
      expect(details.removed).toEqual({ expired: 3, invalidated: 2, quarantined: 1 });
      expect(details.reports).toEqual({ CORRECT: 1, INCORRECT: 2, STALE: 0 });
      await subject.reopen();
      expect((await stats(subject, NOW + 10)).details).toEqual(details);
    });

    it("are of one scope alone", async () => {
      const { store } = subject;
      const scopes = lookAlikeNamespaceKeys();
      for (const scope of scopes) await store.put(scope, cacheEntry(), { ...BOUND, now: NOW });
      for (const [index, scope] of scopes.entries()) {
        for (let hit = 0; hit <= index; hit += 1) store.countLookup(scope, { kind: "EXACT", id: "e1" }, NOW);
      }
      for (const [index, scope] of scopes.entries()) {
        expect(await store.stats(scope, NOW)).toMatchObject({
          entryCount: 1,
          exactHits: index + 1,
          stores: 1,
        });
      }
    });

    it("outlive a restart", async () => {
      await put(subject, cacheEntry());
      await put(subject, cacheEntry({ id: "e2" }), { maxEntries: 1, now: NOW + 1 });
      count(subject, { kind: "MISS" });
      count(subject, { kind: "SEMANTIC", id: "e2" });
      await subject.reopen();
      const expected = { entryCount: 1, semanticHits: 1, misses: 1, stores: 2, evictions: 1 };
      expect(await stats(subject)).toMatchObject(expected);
      count(subject, { kind: "MISS" });
      await subject.reopen();
      expect(await stats(subject)).toMatchObject({ ...expected, misses: 2 });
    });
  });
}
