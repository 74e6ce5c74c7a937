import { describe, expect, it } from "vitest";
import { cacheEntry, DAY, NOW } from "../../support/builders.ts";
import { freshNamespaceKey } from "../store-under-test.ts";
import { type CacheSubject, put, stats } from "./support.ts";

const MINUTE = 60_000;

/** The contract of CacheStore.claimRefresh. */
export function refreshCases(subject: CacheSubject): void {
  const claim = (id = "e1", now = NOW): Promise<boolean> =>
    subject.store.claimRefresh(subject.scope, id, { now, until: now + MINUTE });

  describe("the refresh of an entry", () => {
    it("is claimed by one of many", async () => {
      await put(subject, cacheEntry());
      const claims = await Promise.all(Array.from({ length: 50 }, () => claim()));
      expect(claims.filter((isFirst) => isFirst)).toHaveLength(1);
    });

    it("may be claimed again when its time has passed", async () => {
      await put(subject, cacheEntry());
      expect(await claim()).toBe(true);
      expect(await claim("e1", NOW + MINUTE - 1)).toBe(false);
      expect(await claim("e1", NOW + MINUTE)).toBe(true);
      expect(await claim("e1", NOW + MINUTE + 1)).toBe(false);
    });

    it("may be claimed again when the entry was put or deleted and put", async () => {
      await put(subject, cacheEntry());
      await claim();
      await put(subject, cacheEntry({ response: "another" }));
      expect(await claim()).toBe(true);
      await subject.store.delete(subject.scope, "e1", { now: NOW });
      expect(await claim()).toBe(false);
      await put(subject, cacheEntry());
      expect(await claim()).toBe(true);
    });

    it("may be claimed again when a report has changed the entry, and not when it was invalidated", async () => {
      const { store, scope } = subject;
      await put(subject, cacheEntry({ dueTime: NOW + MINUTE }));
      expect(await claim()).toBe(true);
      const about = { entryId: "e1", createTime: NOW, promptId: "p", reporter: "r", similarity: 1 };
      await store.report(scope, { outcome: "STALE", ...about }, { now: NOW });
      expect((await store.lookup(scope, { id: "e1" }, NOW)).exact).toMatchObject({ dueTime: NOW });
      expect(await claim()).toBe(true);
      await store.invalidate(scope, {}, { now: NOW });
      expect(await claim()).toBe(false);
    });

    it("is not claimed by a hit, and does not change the entry", async () => {
      await put(subject, cacheEntry());
      const before = await stats(subject);
      await claim();
      expect(await stats(subject)).toEqual(before);
      subject.store.countLookup(subject.scope, { kind: "EXACT", id: "e1" }, NOW + 1);
      await stats(subject);
      expect(await claim()).toBe(false);
    });

    it("is of one entry of one scope", async () => {
      await put(subject, cacheEntry());
      await put(subject, cacheEntry({ id: "e2" }));
      const other = { ...subject.scope, namespace: freshNamespaceKey().namespace };
      await subject.store.put(other, cacheEntry(), { maxEntries: 10, now: NOW });
      expect(await claim()).toBe(true);
      expect(await claim("e2")).toBe(true);
      expect(await subject.store.claimRefresh(other, "e1", { now: NOW, until: NOW + MINUTE })).toBe(true);
    });

    it("is given to none where there is no entry, or an expired one", async () => {
      expect(await claim()).toBe(false);
      await put(subject, cacheEntry({ expireTime: NOW + DAY }));
      expect(await claim("e2")).toBe(false);
      expect(await claim("e1", NOW + DAY)).toBe(false);
      expect(await claim("e1", NOW + DAY - 1)).toBe(true);
    });

    it("leaves an entry as it was put, with its due time and confidence", async () => {
      const entry = cacheEntry({ dueTime: NOW + 5, confidence: 1.5 });
      await put(subject, entry);
      await claim();
      expect((await subject.store.lookup(subject.scope, { id: "e1" }, NOW)).exact).toStrictEqual(entry);
    });
  });
}
