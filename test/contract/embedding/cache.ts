import { describe, expect, it } from "vitest";
import { digest } from "../../../src/lib/digest.ts";
import type { CachedEmbedding, EmbeddingCache } from "../../../src/ports/embedding/embedding-cache.ts";
import { DAY, NOW, unitVector } from "../../support/builders.ts";
import { type StoreUnderTest, useStore } from "../store-under-test.ts";

const DIMENSION = 20;
const LIFE = { now: NOW, expireTime: NOW + DAY };

function entry(seed: number, truncated = false): CachedEmbedding {
  return { key: digest(`text ${seed}`), embedded: { vector: unitVector(seed, DIMENSION), truncated } };
}

/** The contract of EmbeddingCache. `maxEntries` is the bound of the opened one, 100 at most. */
export function embeddingCacheContract(
  name: string,
  maxEntries: number,
  open: () => Promise<StoreUnderTest<EmbeddingCache>>,
): void {
  describe(`EmbeddingCache, ${name}`, () => {
    const subject = useStore(open);
    const get = (keys: readonly string[], now = NOW) => subject.store.get(keys, now);

    it("returns nothing for unknown keys, and an empty list for no keys", async () => {
      expect(await get([digest("a"), digest("b")])).toEqual([undefined, undefined]);
      expect(await get([])).toEqual([]);
    });

    it("returns the exact numbers, in the order of the keys, also for repeated keys", async () => {
      const [one, two] = [entry(1), entry(2, true)];
      await subject.store.put([one, two], LIFE);
      expect(await get([two.key, digest("none"), one.key, two.key])).toEqual([
        two.embedded,
        undefined,
        one.embedded,
        two.embedded,
      ]);
    });

    it("puts nothing when there is nothing to put", async () => {
      await subject.store.put([], LIFE);
      expect(await get([entry(1).key])).toEqual([undefined]);
    });

    it("replaces an entry with the same key, and its expire time", async () => {
      const { key } = entry(1);
      await subject.store.put([entry(1)], { now: NOW, expireTime: NOW + 1 });
      await subject.store.put([{ key, embedded: entry(2, true).embedded }], LIFE);
      expect(await get([key], NOW + 1)).toEqual([entry(2, true).embedded]);
    });

    it("gives nothing from the expire time on", async () => {
      await subject.store.put([entry(1)], LIFE);
      expect(await get([entry(1).key], LIFE.expireTime - 1)).toEqual([entry(1).embedded]);
      expect(await get([entry(1).key], LIFE.expireTime)).toEqual([undefined]);
    });

    it("is found after it is opened again", async () => {
      await subject.store.put([entry(1, true)], LIFE);
      await subject.reopen();
      expect(await get([entry(1).key])).toEqual([entry(1, true).embedded]);
    });

    it("holds at most its bound, and evicts the oldest first", async () => {
      const entries = Array.from({ length: 3 * maxEntries }, (_, seed) => entry(seed));
      for (const one of entries) await subject.store.put([one], LIFE);
      const found = await get(entries.map(({ key }) => key));
      const cached = found.flatMap((one, index) => (one === undefined ? [] : [index]));
      expect(cached.length).toBeLessThanOrEqual(maxEntries);
      expect(cached).toEqual([...entries.keys()].slice(-cached.length));
      expect(cached).toContain(entries.length - 1);
    });

    it("stays within its bound when more is put at once than it may hold", async () => {
      const entries = Array.from({ length: 2 * maxEntries }, (_, seed) => entry(seed));
      await subject.store.put(entries, LIFE);
      const found = await get(entries.map(({ key }) => key));
      const count = found.filter((one) => one !== undefined).length;
      expect(count).toBeGreaterThan(0);
      expect(count).toBeLessThanOrEqual(maxEntries);
    });
  });
}
