import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Allocation, FairShare } from "./fair-share.ts";

/** A share whose allocations can be evicted; evicted ones are in `evicted`. */
function evictableShare(limit: number) {
  const allocations = new Set<Allocation>();
  const evicted: Allocation[] = [];
  const share = new FairShare(limit, () => allocations);
  return {
    share,
    evicted,
    /** Allocates to a new allocation, or adds to `existing`. */
    allocate: (owner: string, amount: number, existing?: Allocation): Allocation | undefined => {
      const allocation: Allocation = existing ?? {
        owner,
        amount: 0,
        evict: () => {
          share.release(allocation);
          allocations.delete(allocation);
          evicted.push(allocation);
        },
      };
      if (!share.allocate(allocation, amount)) return undefined;
      allocations.add(allocation);
      return allocation;
    },
    release: (allocation: Allocation): void => {
      share.release(allocation);
      allocations.delete(allocation);
    },
  };
}

describe("a fair share", () => {
  it("gives all of the limit to a single owner, and no more", () => {
    const { allocate, evicted } = evictableShare(3);
    const allocated = Array.from({ length: 4 }, () => allocate("a", 1) !== undefined);
    expect([allocated, evicted]).toEqual([[true, true, true, false], []]);
  });

  it("evicts from the owner with most, the largest first, for an owner below its share", () => {
    const { allocate, evicted, share } = evictableShare(10);
    allocate("a", 4);
    const large = allocate("a", 6);
    const other = allocate("b", 5);
    expect(evicted).toEqual([large]);
    expect(allocate("b", 1, other)).toBe(other);
    expect(allocate("b", 1, other)).toBeUndefined();
    expect(share.total).toBe(10);
  });

  it("exceeds the limit where nothing can be evicted, up to an equal share, and to twice the limit in all", () => {
    const share = new FairShare(4);
    for (let call = 0; call < 4; call += 1) share.allocate({ owner: "a", amount: 0 }, 1);
    const allocated = ["b", "b", "b", "c", "c", "d", "d", "e"].map((owner) =>
      share.allocate({ owner, amount: 0 }, 1),
    );
    // b has a half, c a third, d a quarter; with e, twice the limit would be exceeded.
    expect(allocated).toEqual([true, true, false, true, false, true, false, false]);
    expect(share.total).toBe(8);
  });

  const limit = 12;
  const step = fc.record({
    owner: fc.constantFrom("a", "b", "c", "d"),
    amount: fc.integer({ min: 1, max: 6 }),
    isReleased: fc.boolean(),
  });

  it("counts allocations, stays within the limit, and refuses no owner below an equal share", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { share, allocate, release, evicted } = evictableShare(limit);
        const expected = new Map<Allocation, number>();
        for (const { owner, amount, isReleased } of steps) {
          const own = [...expected].filter(([{ owner: name }]) => name === owner);
          const before = own.reduce((sum, [, bytes]) => sum + bytes, 0);
          const owners = new Set([...[...expected.keys()].map((one) => one.owner), owner]).size;
          const allocation = allocate(owner, amount);
          for (const one of evicted.splice(0)) {
            expect(one.owner).not.toBe(owner);
            expected.delete(one);
          }
          if (allocation === undefined) expect(before + amount).toBeGreaterThan(limit / owners);
          else expected.set(allocation, amount);
          if (isReleased && allocation !== undefined) {
            release(allocation);
            release(allocation);
            expected.delete(allocation);
          }
          expect(share.total).toBe([...expected.values()].reduce((sum, bytes) => sum + bytes, 0));
          expect(share.total).toBeLessThanOrEqual(limit);
        }
      }),
    );
  });
});
