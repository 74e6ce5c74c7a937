import { describe, expect, it } from "vitest";
import { type CacheEntry, entryBytes } from "../../../src/domain/cache/entry.ts";
import type { EvictionPolicy } from "../../../src/domain/cache/eviction.ts";
import type { PutCacheEntryOptions, PutCacheEntryResult } from "../../../src/ports/cache/cache-store.ts";
import { cacheEntry, DAY, idempotentRequest, NOW, seededRandom } from "../../support/builders.ts";
import { referenceStores } from "../../support/reference/backend.ts";
import { reasonOf, vectorOf } from "../store-under-test.ts";
import { type CacheSubject, count, find, listedIds, stats } from "./support.ts";

type Bounds = Partial<
  Pick<PutCacheEntryOptions, "maxEntries" | "maxBytes" | "policy" | "request" | "vector">
>;

/** An entry that cost this many dollars. */
function costly(id: string, costUsd: number, given: Partial<CacheEntry> = {}): CacheEntry {
  const usage = { promptTokens: 0, completionTokens: 0, generationMs: 0, costUsd };
  return cacheEntry({ id, usage, ...given });
}

/** The contract of CacheStore for eviction policies, and for the bound on bytes. */
export function evictionCases(subject: CacheSubject): void {
  let now = NOW;
  const put = async (entry: CacheEntry, bounds: Bounds): Promise<Omit<PutCacheEntryResult, "entry">> => {
    now += 1;
    const options = { maxEntries: 3, now, ...bounds };
    const { entry: _, ...outcome } = await subject.store.put(subject.scope, entry, options);
    return outcome;
  };
  const hit = (id: string, times = 1): void => {
    for (let time = 0; time < times; time += 1) {
      now += 1;
      count(subject, { kind: "EXACT", id }, now);
    }
  };
  const ids = async (): Promise<string[]> => (await listedIds(subject, { now })).sort();
  const STORED = { replaced: false, evicted: 0 };
  const EVICTED = { replaced: false, evicted: 1 };
  const REFUSED = { replaced: false, evicted: 0, refused: "NOT_ADMITTED" };

  describe("the policy of a full scope", () => {
    it("lfu evicts what was used least often, of equal ones what was used least recently", async () => {
      const policy = { policy: "LFU" } as const;
      for (const id of ["a", "b", "c"]) await put(cacheEntry({ id }), policy);
      hit("a", 2);
      hit("b");
      expect(await put(cacheEntry({ id: "d" }), policy)).toEqual(EVICTED);
      expect(await ids()).toEqual(["a", "b", "d"]);
      hit("d");
      await put(cacheEntry({ id: "e" }), policy);
      expect(await ids()).toEqual(["a", "d", "e"]);
    });

    it("fifo evicts what was stored or replaced first, whatever its hits", async () => {
      const policy = { policy: "FIFO" } as const;
      for (const id of ["a", "b", "c", "a"]) await put(cacheEntry({ id, createTime: now }), policy);
      hit("b", 5);
      await put(cacheEntry({ id: "d", createTime: now }), policy);
      expect(await ids()).toEqual(["a", "c", "d"]);
    });

    it("ttl evicts what expires next", async () => {
      const policy = { policy: "TTL" } as const;
      await put(cacheEntry({ id: "a", expireTime: NOW + DAY }), policy);
      await put(cacheEntry({ id: "b", expireTime: NOW + DAY / 2 }), policy);
      await put(cacheEntry({ id: "c", expireTime: NOW + DAY - 1 }), policy);
      hit("b", 5);
      await put(cacheEntry({ id: "d", expireTime: NOW + DAY / 4 }), policy);
      expect(await ids()).toEqual(["a", "c", "d"]);
      // The written one stays, although it expires first.
      await put(cacheEntry({ id: "e", expireTime: NOW + DAY / 8 }), policy);
      expect(await ids()).toEqual(["a", "c", "e"]);
    });

    it("adaptive keeps what cost much and was used, and lets it fall behind when it is used no more", async () => {
      const policy = { policy: "ADAPTIVE" } as const;
      await put(costly("dear", 0.5), policy);
      await put(costly("used", 0.1), policy);
      hit("used", 9);
      await put(costly("cheap", 0.01), policy);
      expect(await put(costly("next", 0.02), policy)).toEqual(EVICTED);
      expect(await ids()).toEqual(["dear", "next", "used"]);
      // The clock rises by 0.02 with each of them; dear is kept a few times, for half of its worth.
      for (let index = 0; index < 300; index += 1) await put(costly(`n${index}`, 0.02), policy);
      expect(await ids()).toEqual(["n297", "n298", "n299"]);
    });

    it("adaptive does not admit what is worth less than the lowest, until it comes often enough", async () => {
      const policy = { policy: "ADAPTIVE" } as const;
      for (const id of ["a", "b", "c"]) await put(costly(id, 0.04), policy);
      // 0.01 against 0.04; then 0.02 against 0.02 of the same entry, which has lost half of its uses.
      const request = idempotentRequest();
      expect(await put(costly("new", 0.01), { ...policy, request })).toEqual(REFUSED);
      expect(await find(subject, "new", now)).toBeUndefined();
      expect(await stats(subject, now)).toMatchObject({ entryCount: 3, stores: 3, evictions: 0 });
      expect(await put(costly("new", 0.01), { ...policy, request })).toEqual(REFUSED);
      const outcomes: unknown[] = [];
      for (let time = 0; time < 4; time += 1) outcomes.push(await put(costly("new", 0.01), policy));
      // Replaced from then on.
      expect(outcomes.map((one) => (one as PutCacheEntryResult).refused)).toContain(undefined);
      expect(outcomes.at(-1)).toEqual({ replaced: true, evicted: 0 });
      expect(await find(subject, "new", now)).toBeDefined();
    });

    it("adaptive replaces an entry although it is the lowest", async () => {
      const policy = { policy: "ADAPTIVE" } as const;
      for (const id of ["a", "b"]) await put(costly(id, 0.04), policy);
      await put(costly("cheap", 0.01), policy);
      expect(await put(costly("cheap", 0.001), policy)).toEqual({ replaced: true, evicted: 0 });
    });

    it("adaptive remembers the uses of what was evicted or has expired, and not of what was deleted", async () => {
      const policy = { policy: "ADAPTIVE", maxEntries: 1 } as const;
      const lasting = async (id: string, leave: () => Promise<unknown>): Promise<unknown> => {
        await put(costly(id, 0.01, { expireTime: now + 100 }), policy);
        hit(id, 9);
        await leave();
        // Worth more than a first use of it and less than eleven.
        await put(costly("other", 0.05), policy);
        const outcome = await put(costly(id, 0.01), policy);
        for (const left of [id, "other"]) await reasonOf(subject.store.delete(subject.scope, left, { now }));
        return outcome;
      };
      expect(
        await lasting("evicted", async () => {
          await put(costly("dear", 1), policy);
          await subject.store.delete(subject.scope, "dear", { now });
        }),
      ).toEqual(EVICTED);
      expect(
        await lasting("expired", async () => {
          now += 200;
        }),
      ).toEqual(EVICTED);
      expect(await lasting("deleted", () => subject.store.delete(subject.scope, "deleted", { now }))).toEqual(
        REFUSED,
      );
    });

    it("adaptive remembers the latest 64 in a small scope", async () => {
      const policy = { policy: "ADAPTIVE", maxEntries: 1 } as const;
      const cheap = (id: string) => {
        // It loses half of its uses each time.
        hit("dear");
        return put(costly(id, 1e-6), policy);
      };
      await put(costly("dear", 1000), policy);
      for (let time = 0; time < 5; time += 1) expect(await cheap("x")).toEqual(REFUSED);
      for (let index = 0; index < 64; index += 1) await cheap(`n${index}`);
      await subject.store.delete(subject.scope, "dear", { now });
      await cheap("x");
      await cheap("n63");
      // n63 came twice; x, five times before 64 others, is as if it came once.
      expect(await ids()).toEqual(["n63"]);
      expect(await cheap("x")).toEqual(EVICTED);
    });

    it("keeps uses, costs and what it remembers over a restart", async () => {
      const policy = { policy: "ADAPTIVE", maxEntries: 2 } as const;
      await put(costly("a", 0.01), policy);
      await put(costly("b", 0.02), policy);
      hit("a", 4);
      expect(await put(costly("c", 0.015), policy)).toEqual(REFUSED);
      await subject.reopen();
      expect(await put(costly("c", 0.015), policy)).toEqual(EVICTED);
      expect(await ids()).toEqual(["a", "c"]);
    });
  });

  describe("another policy than before", () => {
    it("evicts what was last used under the former one first, in its order", async () => {
      for (const id of ["a", "b", "c", "d"]) await put(costly(id, 1), { policy: "LRU", maxEntries: 4 });
      const policy = { policy: "ADAPTIVE", maxEntries: 4 } as const;
      await put(costly("e", 0.001), policy);
      hit("b");
      expect(await ids()).toEqual(["b", "c", "d", "e"]);
      await put(costly("f", 0.001), policy);
      await put(costly("g", 0.001), policy);
      expect(await ids()).toEqual(["b", "e", "f", "g"]);
      // From now on all are of one order.
      expect(await put(costly("h", 0.0001), policy)).toEqual(REFUSED);
      await put(costly("h", 0.0001), { policy: "LRU", maxEntries: 4 });
      // e was scored again when it was kept in place of h, so that f is the lowest.
      expect(await ids()).toEqual(["b", "e", "g", "h"]);
    });
  });

  describe("the bound on bytes", () => {
    const sized = (id: string, bytes: number, costUsd = 0.01): CacheEntry => {
      const one = costly(id, costUsd, { prompt: "p", response: "" });
      return { ...one, response: "r".repeat(bytes - entryBytes(one, 0)) };
    };
    const bytes = async (): Promise<number> => (await stats(subject, now)).byteCount;

    it("evicts as many as it takes, in the order of the policy", async () => {
      const bounds = { maxEntries: 100, maxBytes: 1000 };
      for (const id of ["a", "b", "c", "d", "e"]) await put(sized(id, 200), bounds);
      expect(await bytes()).toBe(1000);
      expect(await put(sized("f", 401), bounds)).toEqual({ replaced: false, evicted: 3 });
      expect(await ids()).toEqual(["d", "e", "f"]);
      expect(await bytes()).toBe(801);
    });

    it("counts vectors, and takes a larger replacement for what it adds", async () => {
      const bounds = { maxEntries: 100, maxBytes: 1000 };
      const vector = vectorOf(1);
      await put(sized("a", 200), { ...bounds, vector });
      expect(await bytes()).toBe(200 + 4 * vector.length);
      await put(sized("b", 200), bounds);
      expect(await put(sized("b", 600), bounds)).toEqual({ replaced: true, evicted: 0 });
      expect(await put(sized("b", 900), bounds)).toEqual({ replaced: true, evicted: 1 });
      expect([await ids(), await bytes()]).toEqual([["b"], 900]);
      await subject.store.delete(subject.scope, "b", { now });
      expect(await bytes()).toBe(0);
    });

    it("does not store an entry that is larger by itself, and keeps what there is", async () => {
      const bounds = { maxEntries: 100, maxBytes: 1000 };
      await put(sized("a", 200), bounds);
      const tooLarge = { replaced: false, evicted: 0, refused: "TOO_LARGE" };
      const request = idempotentRequest();
      expect(await put(sized("b", 1001), { ...bounds, request })).toEqual(tooLarge);
      expect(await put(sized("b", 1001), { ...bounds, request })).toEqual(tooLarge);
      expect(await put(sized("a", 1001), bounds)).toEqual(tooLarge);
      expect([await ids(), await bytes()]).toEqual([["a"], 200]);
    });

    it("lets expired entries go first", async () => {
      const bounds = { maxEntries: 100, maxBytes: 1000 };
      await put({ ...sized("ends", 500), expireTime: now + 10 }, bounds);
      await put(sized("a", 500), bounds);
      now += 20;
      expect(await put(sized("b", 500), bounds)).toEqual(STORED);
      expect(await ids()).toEqual(["a", "b"]);
    });

    it("holds when it is lower than before", async () => {
      for (let index = 0; index < 20; index += 1) {
        await put(sized(`e${String(index).padStart(2, "0")}`, 100), { maxEntries: 100 });
      }
      expect(await put(sized("new", 100), { maxEntries: 100, maxBytes: 300 })).toEqual({
        replaced: false,
        evicted: 18,
      });
      expect(await ids()).toEqual(["e18", "e19", "new"]);
    });

    it("lets adaptive weigh costs against sizes", async () => {
      const bounds = { maxEntries: 100, maxBytes: 1000, policy: "ADAPTIVE" } as const;
      await put(sized("large", 800, 0.02), bounds);
      await put(sized("small", 100, 0.01), bounds);
      expect(await put(sized("next", 400, 0.02), bounds)).toEqual(EVICTED);
      expect(await ids()).toEqual(["next", "small"]);
    });
  });

  describe("any policies and bounds in any order", () => {
    const POLICIES: readonly EvictionPolicy[] = [
      ...(["LRU", "LFU", "FIFO", "TTL"] as const),
      ...(["ADAPTIVE", "ADAPTIVE", "ADAPTIVE", "ADAPTIVE"] as const),
    ];

    it.each([1, 2, 3, 4])("keep what the reference keeps, seed %s", async (seed) => {
      const random = seededRandom(seed);
      const pick = (limit: number): number => Math.floor(random() * limit);
      const expected = referenceStores().cache;
      const chosen = POLICIES[pick(POLICIES.length)] ?? "ADAPTIVE";
      let bounds: Bounds = { maxEntries: 5, policy: chosen };
      let refused = 0;
      let evicted = 0;
      for (let step = 0; step < 400; step += 1) {
        now += 1 + pick(3);
        const id = `e${pick(14)}`;
        const chance = random();
        if (chance < 0.04) {
          bounds = {
            maxEntries: 3 + pick(4),
            policy: POLICIES[pick(POLICIES.length)] ?? "LRU",
            ...(pick(3) === 0 ? { maxBytes: 300 + pick(900) } : {}),
          };
        } else if (chance < 0.4) {
          // A hit on an expired entry counts as long as it is not swept, which is no part of the contract.
          if ((await expected.lookup(subject.scope, { id }, now)).exact === undefined) continue;
          for (const store of [subject.store, expected]) {
            store.countLookup(subject.scope, { kind: "EXACT", id }, now);
          }
        } else if (chance < 0.45) {
          const gone = await reasonOf(subject.store.delete(subject.scope, id, { now }));
          expect(await reasonOf(expected.delete(subject.scope, id, { now }))).toBe(gone);
        } else {
          const ttl = pick(4) === 0 ? 1 + pick(30) : DAY;
          const entry = costly(id, [0.001, 0.01, 0.02, 0.5][pick(4)] ?? 0, {
            response: "r".repeat(1 + pick(200)),
            createTime: now,
            expireTime: now + ttl,
          });
          const options = { now, maxEntries: 5, ...bounds };
          const outcome = await subject.store.put(subject.scope, entry, options);
          expect(outcome, `step ${step}`).toEqual(await expected.put(subject.scope, entry, options));
          refused += outcome.refused === "NOT_ADMITTED" ? 1 : 0;
          evicted += outcome.evicted;
        }
        const listed = await expected.list(subject.scope, { limit: 100, maxBytes: Infinity, now });
        expect(await listedIds(subject, { now }), `step ${step}`).toEqual(
          listed.entries.map((one) => one.id),
        );
      }
      expect(await stats(subject, now)).toEqual(await expected.stats(subject.scope, now));
      expect(evicted).toBeGreaterThan(20);
      expect(refused).toBeGreaterThan(0);
    });
  });
}
