import { randomUUID } from "node:crypto";
import { beforeEach, describe, expect, it } from "vitest";
import type { MemoryFilter } from "../../src/domain/memory/filter.ts";
import type { Backend } from "../../src/ports/backend.ts";
import { cacheEntry, NOW, newMemory } from "../support/builders.ts";
import { findEntry } from "../support/cache-lookups.ts";
import { type StoreUnderTest, useStore, vectorOf } from "./store-under-test.ts";

const ACTIVE: MemoryFilter = { states: ["ACTIVE"] };

/** The contract of all stores of a backend for two tenants that use the same names for everything. */
export function sharedNamesContract(
  name: string,
  open: () => Promise<StoreUnderTest<Pick<Backend, "namespaces" | "memories" | "cache">>>,
): void {
  describe(`two tenants with the same names, ${name}`, () => {
    const subject = useStore(open);
    const shared = { namespace: "n", tenants: randomUUID() };
    /** Its rows come first in any lookup that ignores the tenant. */
    const first = { tenant: `${shared.tenants}-a`, namespace: shared.namespace };
    const second = { tenant: `${shared.tenants}-b`, namespace: shared.namespace };
    const bound = { maxEntries: 100 };

    const createMemory = (scope: typeof first, id: string, given: Parameters<typeof newMemory>[0] = {}) =>
      subject.store.memories.writer.create(
        scope,
        [newMemory({ id, text: `tea ${id}`, ...given }, { vector: vectorOf(1) })],
        { now: NOW },
      );
    const keep = (scope: typeof first, id: string, now = NOW, given: Parameters<typeof cacheEntry>[0] = {}) =>
      subject.store.cache.put(scope, cacheEntry({ id, ...given }), { ...bound, now });

    beforeEach(async () => {
      await createMemory(first, "m1", { sessionId: "s" });
      await keep(first, "e1");
      await createMemory(second, "m2");
    });

    it("counts what each of them has", async () => {
      await keep(first, "e2");
      await keep(second, "e1");
      expect(await subject.store.namespaces.counts(first)).toEqual({ memories: 1, cacheEntries: 2 });
      expect(await subject.store.namespaces.counts(second)).toEqual({ memories: 1, cacheEntries: 1 });
      const ofFirst = await subject.store.cache.stats(first, NOW);
      const ofSecond = await subject.store.cache.stats(second, NOW);
      expect([ofFirst.entryCount, ofSecond.entryCount]).toEqual([2, 1]);
      expect(ofFirst.byteCount).toBe(2 * ofSecond.byteCount);
    });

    it("separates their ids, and the positions in their sessions", async () => {
      expect(await subject.store.memories.reader.exist(second, ["m1", "m2"], NOW)).toEqual([false, true]);
      const { onDuplicate, ...imported } = newMemory({ id: "m1", sessionId: "s", sessionPosition: 1 });
      expect(onDuplicate).toBeDefined();
      expect(await subject.store.memories.importer.import(second, [imported], { now: NOW })).toEqual([
        "imported",
      ]);
      const [memory] = await subject.store.memories.reader.get(second, ["m1"], NOW);
      expect(memory?.sessionPosition).toBe(1);
    });

    it("counts accesses to each alone", async () => {
      await createMemory(second, "m1");
      subject.store.memories.accessCounts.add(second, ["m1"], NOW + 5);
      await subject.reopen();
      const [ofFirst] = await subject.store.memories.reader.get(first, ["m1"], NOW);
      const [ofSecond] = await subject.store.memories.reader.get(second, ["m1"], NOW);
      expect([ofFirst?.access?.accessCount ?? 0, ofSecond?.access?.accessCount ?? 0]).toEqual([0, 1]);
    });

    it("finds the words of one when the other has deleted its namespace", async () => {
      await subject.store.namespaces.delete(second, { now: NOW });
      const { byKeyword: containing } = await subject.store.memories.search.search(
        first,
        { terms: newMemory({ text: "tea" }).terms, filter: ACTIVE, limit: 10 },
        NOW,
      );
      expect(containing.map(({ id }) => id)).toEqual(["m1"]);
      expect(await findEntry(subject.store.cache, first, "e1", NOW)).toBeDefined();
    });

    it("makes room by the uses of each alone", async () => {
      // Of the second, e1 is the older; a use by the other would save the wrong one.
      await keep(second, "e1", NOW + 1);
      await keep(second, "e2", NOW + 2);
      await keep(first, "e2", NOW + 2);
      subject.store.cache.countLookup(second, { kind: "EXACT", id: "e1" }, NOW + 10);
      const third = { maxEntries: 2, now: NOW + 20 };
      await subject.store.cache.put(second, cacheEntry({ id: "e3" }), third);
      await subject.store.cache.put(first, cacheEntry({ id: "e3" }), third);
      const left = async (scope: typeof first) => {
        const found = ["e1", "e2", "e3"].map((id) => findEntry(subject.store.cache, scope, id, NOW + 20));
        return (await Promise.all(found)).map((entry) => entry?.id);
      };
      expect(await left(second)).toEqual(["e1", undefined, "e3"]);
      expect(await left(first)).toEqual([undefined, "e2", "e3"]);
    });

    it("removes expired ones of each alone before any other", async () => {
      // More than a store sweeps at one write, so that some of the first are left when the second makes room.
      for (let index = 0; index < 100; index += 1) {
        await subject.store.cache.put(first, cacheEntry({ id: `f${index}`, expireTime: NOW + 1 }), {
          maxEntries: 1000,
          now: NOW,
        });
      }
      await keep(second, "expired", NOW, { expireTime: NOW + 2 });
      await keep(second, "alive");
      const { evicted } = await subject.store.cache.put(second, cacheEntry({ id: "new" }), {
        maxEntries: 2,
        now: NOW + 5,
      });
      expect(evicted).toBe(0);
      expect(await findEntry(subject.store.cache, second, "alive", NOW + 5)).toBeDefined();
    });
  });
}
