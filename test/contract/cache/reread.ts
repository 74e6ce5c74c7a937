import { beforeEach, describe, expect, it } from "vitest";
import { cacheEntry, NOW } from "../../support/builders.ts";
import { findEntry } from "../../support/cache-lookups.ts";
import { lookAlikeNamespaceKeys, vectorOf } from "../store-under-test.ts";
import { type CacheSubject, find, nearest, put } from "./support.ts";

/** The contract of CacheStore for entries that were read before, which a store may cache. */
export function rereadCases(subject: CacheSubject): void {
  describe("an entry that was read before", () => {
    const entry = cacheEntry({ expireTime: NOW + 10 });
    beforeEach(async () => {
      await put(subject, entry, { vector: vectorOf(1) });
      expect(await find(subject, "e1")).toEqual(entry);
      expect(await nearest(subject, { vector: vectorOf(1) })).toHaveLength(1);
    });

    it("is read as it was when nothing has changed", async () => {
      expect(await find(subject, "e1")).toEqual(entry);
    });

    it("is read as what replaced it", async () => {
      const changed = cacheEntry({ response: "another", expireTime: NOW + 20 });
      await put(subject, changed, { vector: vectorOf(1) });
      expect(await find(subject, "e1")).toEqual(changed);
      expect((await nearest(subject, { vector: vectorOf(1) })).map(({ entry: found }) => found)).toEqual([
        changed,
      ]);
    });

    it("is not found after a deletion", async () => {
      await subject.store.delete(subject.scope, "e1", { now: NOW });
      expect(await find(subject, "e1")).toBeUndefined();
      expect(await nearest(subject, { vector: vectorOf(1) })).toEqual([]);
    });

    it("is not found after an eviction", async () => {
      await put(subject, cacheEntry({ id: "e2" }), { maxEntries: 1, now: NOW + 1 });
      expect(await find(subject, "e1")).toBeUndefined();
      expect(await nearest(subject, { vector: vectorOf(1) })).toEqual([]);
    });

    it("is not found after a concurrent replacement and deletion", async () => {
      const replaced = put(subject, cacheEntry({ response: "another" }));
      await Promise.all([replaced, subject.store.delete(subject.scope, "e1", { now: NOW })]);
      expect(await find(subject, "e1")).toBeUndefined();
    });

    it("ends at its time", async () => {
      expect(await find(subject, "e1", NOW + 9)).toEqual(entry);
      expect(await find(subject, "e1", NOW + 10)).toBeUndefined();
      expect(await nearest(subject, { vector: vectorOf(1) }, NOW + 10)).toEqual([]);
    });

    it("is not read from any other scope", async () => {
      const [first, ...others] = lookAlikeNamespaceKeys();
      const options = { maxEntries: 10, now: NOW };
      await subject.store.put(first, entry, options);
      expect(await findEntry(subject.store, first, "e1", NOW)).toEqual(entry);
      for (const scope of others) expect(await findEntry(subject.store, scope, "e1", NOW)).toBeUndefined();
      expect(await findEntry(subject.store, first, "e1", NOW)).toEqual(entry);
    });
  });
}
