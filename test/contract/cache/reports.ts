import { describe, expect, it } from "vitest";
import { entryBytes } from "../../../src/domain/cache/entry.ts";
import { applyReport, type OutcomeReport } from "../../../src/domain/cache/feedback.ts";
import type { IdempotentRequest } from "../../../src/ports/idempotency.ts";
import { cacheEntry, idempotentRequest, NOW } from "../../support/builders.ts";
import { findEntry } from "../../support/cache-lookups.ts";
import { lookAlikeNamespaceKeys, reasonOf, vectorOf } from "../store-under-test.ts";
import {
  BOUND,
  type CacheSubject,
  find,
  list,
  listedIds,
  nearest,
  nearestIds,
  put,
  REPLACED,
  stats,
} from "./support.ts";

/** The contract of CacheStore.report. */
export function reportCases(subject: CacheSubject): void {
  const reportOf = (given: Partial<OutcomeReport> = {}): OutcomeReport => ({
    outcome: "INCORRECT",
    entryId: "e1",
    createTime: NOW,
    promptId: "p1",
    reporter: "r1",
    similarity: 0.9,
    ...given,
  });
  const report = (
    given: Partial<OutcomeReport> = {},
    { now = NOW, request }: { readonly now?: number; readonly request?: IdempotentRequest } = {},
  ) =>
    subject.store.report(subject.scope, reportOf(given), {
      now,
      ...(request === undefined ? {} : { request }),
    });
  const APPLIED = { applied: true, quarantined: false };
  const QUARANTINED = { applied: true, quarantined: true };
  const NOT_APPLIED = { applied: false, quarantined: false };

  describe("a report", () => {
    it("INCORRECT is in the entry at its next read, in whatever way", async () => {
      const entry = cacheEntry();
      await put(subject, entry, { vector: vectorOf(1) });
      expect((await nearest(subject))[0]?.entry).toEqual(entry);
      expect(await report()).toEqual(APPLIED);
      const expected = applyReport(entry, reportOf(), NOW);
      expect(expected.feedback?.vetoes).toEqual([{ promptId: "p1", reporter: "r1" }]);
      for (let round = 0; round < 2; round += 1) {
        expect(await find(subject, "e1")).toEqual(expected);
        expect((await nearest(subject))[0]?.entry).toEqual(expected);
        expect((await list(subject)).entries).toEqual([expected]);
        await subject.reopen();
      }
    });

    it("INCORRECT twice quarantines the entry: it is not among the nearest, and has no more the bytes of its vector", async () => {
      const entry = cacheEntry();
      await put(subject, entry, { vector: vectorOf(1) });
      await put(subject, cacheEntry({ id: "e2" }), { vector: vectorOf(2) });
      expect(await report()).toEqual(APPLIED);
      expect(await report()).toEqual(APPLIED);
      expect(await nearestIds(subject)).toEqual(["e1", "e2"]);
      expect(await report({ promptId: "p2" })).toEqual(QUARANTINED);
      expect(await report({ promptId: "p3" })).toEqual(APPLIED);
      for (let round = 0; round < 2; round += 1) {
        expect(await nearestIds(subject)).toEqual(["e2"]);
        expect((await find(subject, "e1"))?.feedback?.quarantined).toBe(true);
        expect((await listedIds(subject)).sort()).toEqual(["e1", "e2"]);
        const bytes = entryBytes(entry, 0) + entryBytes(cacheEntry({ id: "e2" }), vectorOf(2).length);
        expect(await stats(subject)).toMatchObject({ entryCount: 2, byteCount: bytes });
        await subject.reopen();
      }
      // Storing an answer again lifts it.
      expect(await put(subject, entry, { vector: vectorOf(1) })).toEqual(REPLACED);
      expect(await nearestIds(subject)).toEqual(["e1", "e2"]);
      expect(await find(subject, "e1")).toEqual(entry);
    });

    it("STALE shortens the lifetime, for every read", async () => {
      const entry = cacheEntry({ expireTime: NOW + 1000 });
      await put(subject, entry, { vector: vectorOf(1) });
      await put(subject, cacheEntry({ id: "e2" }), { vector: vectorOf(2) });
      expect(await nearestIds(subject)).toEqual(["e1", "e2"]);
      expect(await report({ outcome: "STALE" })).toEqual(APPLIED);
      expect(await find(subject, "e1", NOW + 99)).toMatchObject({ expireTime: NOW + 100 });
      expect(await nearestIds(subject, {}, NOW + 99)).toEqual(["e1", "e2"]);
      for (let round = 0; round < 2; round += 1) {
        expect(await find(subject, "e1", NOW + 100)).toBeUndefined();
        expect(await nearestIds(subject, { limit: 1 }, NOW + 100)).toEqual(["e2"]);
        expect(await listedIds(subject, { now: NOW + 100 })).toEqual(["e2"]);
        expect(await stats(subject, NOW + 100)).toMatchObject({ entryCount: 1 });
        await subject.reopen();
      }
    });

    it("CORRECT changes nothing", async () => {
      await put(subject, cacheEntry(), { vector: vectorOf(1) });
      expect(await report({ outcome: "CORRECT" })).toEqual(APPLIED);
      expect(await find(subject, "e1")).toEqual(cacheEntry());
    });

    it.each(["CORRECT", "INCORRECT", "STALE"] as const)(
      "%s about an answer that is not stored any more changes nothing",
      async (outcome) => {
        expect(await report({ outcome })).toEqual(NOT_APPLIED);
        const replaced = cacheEntry({ createTime: NOW + 1 });
        await put(subject, replaced);
        expect(await report({ outcome })).toEqual(NOT_APPLIED);
        expect(await report({ outcome, entryId: "other" })).toEqual(NOT_APPLIED);
        expect(await find(subject, "e1")).toEqual(replaced);
        await put(subject, cacheEntry({ id: "ends", expireTime: NOW + 10 }));
        expect(await report({ outcome, entryId: "ends" }, { now: NOW + 10 })).toEqual(NOT_APPLIED);
        await put(subject, cacheEntry({ id: "invalid" }));
        await subject.store.invalidate(subject.scope, {}, { now: NOW });
        expect(await report({ outcome, entryId: "invalid" })).toEqual(NOT_APPLIED);
        expect(await listedIds(subject)).toEqual([]);
      },
    );

    it("is applied once when it is retried with its request_id, also when it comes many times at once", async () => {
      const request = idempotentRequest();
      await put(subject, cacheEntry({ expireTime: NOW + 1000 }));
      const stale = { outcome: "STALE" as const };
      const all = await Promise.all(Array.from({ length: 8 }, () => report(stale, { request })));
      expect(all).toEqual(Array.from({ length: 8 }, () => APPLIED));
      expect((await find(subject, "e1"))?.expireTime).toBe(NOW + 100);
      await subject.reopen();
      expect(await report(stale, { request })).toEqual(APPLIED);
      expect((await find(subject, "e1"))?.expireTime).toBe(NOW + 100);
      const reused = report(stale, { request: { ...request, bodyHash: "another" } });
      expect(await reasonOf(reused)).toBe("REQUEST_ID_REUSED");
      const gone = { ...request, key: "another" };
      expect(await report({ entryId: "e9" }, { request: gone })).toEqual(NOT_APPLIED);
      await put(subject, cacheEntry({ id: "e9" }));
      expect(await report({ entryId: "e9" }, { request: gone })).toEqual(NOT_APPLIED);
    });

    it("is not lost among others that come at once", async () => {
      await put(subject, cacheEntry(), { vector: vectorOf(1) });
      const reporters = ["r1", "r2", "r3", "r4", "r5", "r6"];
      const outcomes = await Promise.all(reporters.map((reporter) => report({ reporter })));
      expect(outcomes.filter(({ applied }) => applied)).toHaveLength(6);
      expect(outcomes.filter(({ quarantined }) => quarantined)).toHaveLength(1);
      const { feedback } = (await find(subject, "e1")) ?? {};
      expect(feedback?.vetoes.map(({ reporter }) => reporter).sort()).toEqual(reporters);
    });

    it("is of one namespace alone, and does not create one", async () => {
      const { store } = subject;
      const [first, ...others] = lookAlikeNamespaceKeys();
      expect(await store.report(first, reportOf(), { now: NOW })).toEqual(NOT_APPLIED);
      for (const scope of [first, ...others]) await store.put(scope, cacheEntry(), { ...BOUND, now: NOW });
      expect(await store.report(first, reportOf(), { now: NOW })).toEqual(APPLIED);
      expect((await findEntry(store, first, "e1", NOW))?.feedback).toBeDefined();
      for (const scope of others) expect(await findEntry(store, scope, "e1", NOW)).toEqual(cacheEntry());
    });
  });
}
