import { describe, expect, it } from "vitest";
import { cacheEntry, idempotentRequest, NOW, seededRandom } from "../../support/builders.ts";
import { findEntry } from "../../support/cache-lookups.ts";
import { freshNamespaceKey, reasonOf, vectorOf } from "../store-under-test.ts";
import {
  ALL,
  type CacheSubject,
  count,
  find,
  listedIds,
  NEW,
  nearestIds,
  put,
  REPLACED,
  stats,
} from "./support.ts";

/** The contract of CacheStore for the bound of a namespace. */
export function boundCases(subject: CacheSubject): void {
  /** Puts entries a millisecond apart, from NOW on. */
  const fill = async (ids: readonly string[], maxEntries = ALL): Promise<void> => {
    for (const [index, id] of ids.entries())
      await put(subject, cacheEntry({ id }), { maxEntries, now: NOW + index });
  };
  const ids = async (): Promise<string[]> => (await listedIds(subject)).sort();

  describe("a full scope", () => {
    it("evicts the entry that was put first", async () => {
      await fill(["a", "b", "c"]);
      const full = { maxEntries: 3, vector: vectorOf(1) };
      expect(await put(subject, cacheEntry({ id: "d" }), { ...full, now: NOW + 10 })).toEqual({
        replaced: false,
        evicted: 1,
      });
      expect(await ids()).toEqual(["b", "c", "d"]);
      expect(await find(subject, "a")).toBeUndefined();
      await put(subject, cacheEntry({ id: "e" }), { ...full, now: NOW + 11 });
      expect(await ids()).toEqual(["c", "d", "e"]);
    });

    it("removes the vector of an evicted entry", async () => {
      for (const [index, id] of ["a", "b", "c"].entries()) {
        await put(subject, cacheEntry({ id }), { vector: vectorOf(1), maxEntries: 2, now: NOW + index });
      }
      expect((await nearestIds(subject)).sort()).toEqual(["b", "c"]);
    });

    it("does not evict recently replaced or served entries", async () => {
      await fill(["a", "b", "c", "d"]);
      expect(await put(subject, cacheEntry({ id: "a" }), { maxEntries: 4, now: NOW + 10 })).toEqual(REPLACED);
      count(subject, { kind: "EXACT", id: "b" }, NOW + 11);
      count(subject, { kind: "SEMANTIC", id: "c" }, NOW + 12);
      await put(subject, cacheEntry({ id: "e" }), { maxEntries: 4, now: NOW + 13 });
      expect(await ids()).toEqual(["a", "b", "c", "e"]);
      await put(subject, cacheEntry({ id: "f" }), { maxEntries: 4, now: NOW + 14 });
      expect(await ids()).toEqual(["b", "c", "e", "f"]);
      await put(subject, cacheEntry({ id: "g" }), { maxEntries: 4, now: NOW + 15 });
      expect(await ids()).toEqual(["c", "e", "f", "g"]);
    });

    it("does not take a lookup that is counted late for a later one, nor a read for a use", async () => {
      await fill(["a", "b"]);
      count(subject, { kind: "EXACT", id: "b" }, NOW + 20);
      count(subject, { kind: "EXACT", id: "a" }, NOW + 10);
      await stats(subject);
      count(subject, { kind: "EXACT", id: "b" }, NOW + 5);
      await find(subject, "a", NOW + 30);
      await put(subject, cacheEntry({ id: "c" }), { maxEntries: 2, now: NOW + 40 });
      expect(await ids()).toEqual(["b", "c"]);
    });

    it("lets expired entries go first, however lately they were used, and does not count them", async () => {
      await put(subject, cacheEntry({ id: "ends", expireTime: NOW + 5 }), { now: NOW + 4 });
      await fill(["a", "b"]);
      expect(await put(subject, cacheEntry({ id: "c" }), { maxEntries: 3, now: NOW + 5 })).toEqual(NEW);
      expect(await ids()).toEqual(["a", "b", "c"]);
      expect((await stats(subject)).evictions).toBe(0);
    });

    it("lets any number of expired entries go before one that can be served", async () => {
      await put(subject, cacheEntry({ id: "oldest" }), { now: NOW - 1 });
      const expired = Array.from({ length: 100 }, (_, index) =>
        cacheEntry({ id: `e${index}`, expireTime: NOW + 5 }),
      );
      await Promise.all(expired.map((entry) => put(subject, entry)));
      expect(await put(subject, cacheEntry({ id: "a" }), { maxEntries: 2, now: NOW + 5 })).toEqual(NEW);
      const later = { maxEntries: 2, now: NOW + 6 };
      expect(await put(subject, cacheEntry({ id: "b" }), later)).toMatchObject({
        replaced: false,
        evicted: 1,
      });
      expect(await ids()).toEqual(["a", "b"]);
    });

    it("is not left by an entry that takes no room", async () => {
      await fill(["a", "b"]);
      const full = { maxEntries: 2, now: NOW + 10 };
      expect(await put(subject, cacheEntry({ id: "a", response: "new" }), full)).toEqual(REPLACED);
      expect(await ids()).toEqual(["a", "b"]);
    });

    it("never evicts the entry that is being put", async () => {
      await fill(["a", "b"]);
      expect(await put(subject, cacheEntry({ id: "old" }), { maxEntries: 1, now: NOW - 1000 })).toEqual({
        replaced: false,
        evicted: 2,
      });
      expect(await ids()).toEqual(["old"]);
    });

    it("evicts down to a lower bound at the next put", async () => {
      await fill(Array.from({ length: 100 }, (_, index) => `e${index}`));
      const outcome = await put(subject, cacheEntry({ id: "last" }), { maxEntries: 10, now: NOW + 200 });
      expect(outcome.evicted).toBe(91);
      expect(await ids()).toEqual(
        ["last", ...Array.from({ length: 9 }, (_, index) => `e${91 + index}`)].sort(),
      );
    });

    it("holds exactly when many put at the same time", async () => {
      const outcomes = await Promise.all(
        Array.from({ length: 50 }, (_, index) =>
          put(subject, cacheEntry({ id: `e${index}` }), { maxEntries: 7, vector: vectorOf(index) }),
        ),
      );
      expect(await ids()).toHaveLength(7);
      expect(outcomes.reduce((sum, { evicted }) => sum + evicted, 0)).toBe(43);
      expect(await stats(subject)).toMatchObject({ entryCount: 7, stores: 50, evictions: 43 });
    });

    it("does not change when a request is retried or refused", async () => {
      const request = idempotentRequest();
      await put(subject, cacheEntry({ id: "a" }));
      const second = { maxEntries: 1, now: NOW + 1, request };
      expect(await put(subject, cacheEntry({ id: "b" }), second)).toMatchObject({
        replaced: false,
        evicted: 1,
      });
      await put(subject, cacheEntry({ id: "c" }), { now: NOW + 2 });
      expect(await put(subject, cacheEntry({ id: "b" }), second)).toEqual(NEW);
      const reused = put(subject, cacheEntry({ id: "b" }), {
        ...second,
        request: { ...request, bodyHash: "another" },
      });
      expect(await reasonOf(reused)).toBe("REQUEST_ID_REUSED");
      expect(await ids()).toEqual(["b", "c"]);
      expect(await stats(subject)).toMatchObject({ stores: 3, evictions: 1 });
    });

    it("leaves other scopes alone", async () => {
      const other = { ...subject.scope, namespace: freshNamespaceKey().namespace };
      await subject.store.put(other, cacheEntry({ id: "other" }), { maxEntries: 1, now: NOW - 1 });
      await fill(["a", "b", "c"], 1);
      expect(await ids()).toEqual(["c"]);
      expect((await findEntry(subject.store, other, "other", NOW))?.id).toBe("other");
      expect(await subject.store.stats(other, NOW)).toMatchObject({ entryCount: 1, evictions: 0 });
    });

    it("keeps uses over a restart", async () => {
      await fill(["a", "b"]);
      count(subject, { kind: "EXACT", id: "a" }, NOW + 10);
      await subject.reopen();
      await put(subject, cacheEntry({ id: "c" }), { maxEntries: 2, now: NOW + 20 });
      expect(await ids()).toEqual(["a", "c"]);
    });

    it("keeps what a plain model of it keeps, whatever happens", async () => {
      const random = seededRandom(7);
      const maxEntries = 5;
      /** Ids in order of their last use, the latest last. */
      let remaining: string[] = [];
      let evictions = 0;
      for (let step = 0; step < 300; step += 1) {
        const id = `e${Math.floor(random() * 12)}`;
        const now = NOW + step;
        const others = remaining.filter((one) => one !== id);
        if (random() < 0.5) {
          // A hit on an entry that went meanwhile uses nothing.
          count(subject, { kind: "EXACT", id }, now);
          if (remaining.includes(id)) remaining = [...others, id];
        } else if (random() < 0.15) {
          const deleted = await reasonOf(subject.store.delete(subject.scope, id, { now }));
          expect(deleted === undefined).toBe(remaining.includes(id));
          remaining = others;
        } else {
          const outcome = await put(subject, cacheEntry({ id }), { maxEntries, now });
          const all = [...others, id];
          const evicted = Math.max(0, all.length - maxEntries);
          expect(outcome).toMatchObject({ replaced: remaining.includes(id), evicted });
          remaining = all.slice(evicted);
          evictions += evicted;
        }
      }
      expect(await ids()).toEqual([...remaining].sort());
      expect(evictions).toBeGreaterThan(20);
      expect(await stats(subject)).toMatchObject({ entryCount: remaining.length, evictions });
    });
  });
}
