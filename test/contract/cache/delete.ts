import { describe, expect, it } from "vitest";
import { cacheEntry, idempotentRequest, NOW } from "../../support/builders.ts";
import { findEntry } from "../../support/cache-lookups.ts";
import { lookAlikeNamespaceKeys, reasonOf, vectorOf } from "../store-under-test.ts";
import { BOUND, type CacheSubject, find, listedIds, NEW, nearestIds, put, stats } from "./support.ts";

/** The contract of CacheStore.delete. */
export function deleteCases(subject: CacheSubject): void {
  const remove = (
    id: string,
    options: Partial<Parameters<typeof subject.store.delete>[2]> = {},
  ): Promise<void> => subject.store.delete(subject.scope, id, { now: NOW, ...options });

  describe("a deletion", () => {
    it("takes one entry and leaves the others", async () => {
      await Promise.all(
        ["a", "b", "c"].map((id) => put(subject, cacheEntry({ id }), { vector: vectorOf(1) })),
      );
      await remove("b");
      expect(await find(subject, "b")).toBeUndefined();
      expect((await nearestIds(subject)).sort()).toEqual(["a", "c"]);
      expect(await listedIds(subject)).toEqual(["c", "a"]);
      expect(await stats(subject)).toMatchObject({ entryCount: 2, stores: 3, evictions: 0 });
      expect(await put(subject, cacheEntry({ id: "b" }))).toEqual(NEW);
    });

    it("rejects with CACHE_ENTRY_NOT_FOUND for a missing entry, and for a deleted one", async () => {
      expect(await reasonOf(remove("a"))).toBe("CACHE_ENTRY_NOT_FOUND");
      await put(subject, cacheEntry({ id: "a" }));
      expect(await reasonOf(remove("b"))).toBe("CACHE_ENTRY_NOT_FOUND");
      expect(await reasonOf(remove("a"))).toBeUndefined();
      expect(await reasonOf(remove("a", { etag: "any" }))).toBe("CACHE_ENTRY_NOT_FOUND");
    });

    it("rejects with CACHE_ENTRY_NOT_FOUND for an expired entry", async () => {
      await put(subject, cacheEntry({ expireTime: NOW + 10 }));
      expect(await reasonOf(remove("e1", { now: NOW + 10 }))).toBe("CACHE_ENTRY_NOT_FOUND");
      expect(await reasonOf(remove("e1", { now: NOW + 9 }))).toBeUndefined();
    });

    it("takes the entry when the etag is its own, and leaves it with ETAG_MISMATCH when not", async () => {
      const entry = cacheEntry();
      await put(subject, entry, { vector: vectorOf(1) });
      for (const etag of ["another", ""]) {
        expect(await reasonOf(remove("e1", { etag }))).toBe("ETAG_MISMATCH");
      }
      expect(await find(subject, "e1")).toEqual(entry);
      expect(await nearestIds(subject)).toEqual(["e1"]);
      await remove("e1", { etag: entry.etag });
      expect(await find(subject, "e1")).toBeUndefined();
    });

    it("is carried out once when many ask for it at the same time", async () => {
      await put(subject, cacheEntry());
      const reasons = await Promise.all(Array.from({ length: 10 }, () => reasonOf(remove("e1"))));
      expect(reasons.filter((reason) => reason === undefined)).toHaveLength(1);
      expect(reasons.filter((reason) => reason === "CACHE_ENTRY_NOT_FOUND")).toHaveLength(9);
    });

    it("that is retried with its request_id changes nothing, after a restart too", async () => {
      const request = idempotentRequest();
      await put(subject, cacheEntry());
      const outcomes = await Promise.all(
        Array.from({ length: 10 }, () => reasonOf(remove("e1", { request }))),
      );
      expect(outcomes).toEqual(Array.from({ length: 10 }, () => undefined));
      await put(subject, cacheEntry({ response: "between" }));
      await subject.reopen();
      await remove("e1", { request });
      expect((await find(subject, "e1"))?.response).toBe("between");
      const reused = remove("e1", { request: { ...request, bodyHash: "another" } });
      expect(await reasonOf(reused)).toBe("REQUEST_ID_REUSED");
    });

    it("that was refused does not record its request", async () => {
      const request = idempotentRequest();
      await put(subject, cacheEntry({ id: "other" }));
      expect(await reasonOf(remove("e1", { request }))).toBe("CACHE_ENTRY_NOT_FOUND");
      await put(subject, cacheEntry());
      await remove("e1", { request });
      expect(await find(subject, "e1")).toBeUndefined();
    });

    it("is of one scope alone", async () => {
      const { store } = subject;
      const [first, ...others] = lookAlikeNamespaceKeys();
      for (const scope of [first, ...others]) await store.put(scope, cacheEntry(), { ...BOUND, now: NOW });
      await store.delete(first, "e1", { now: NOW });
      expect(await findEntry(store, first, "e1", NOW)).toBeUndefined();
      for (const scope of others) expect(await findEntry(store, scope, "e1", NOW)).toEqual(cacheEntry());
    });
  });
}
