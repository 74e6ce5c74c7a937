import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FairShare, type Holding } from "./fair-share.ts";

/** A holding that gives itself up when it is evicted, and says so. */
function evictable(share: FairShare, holder: string, evicted: Holding[]): Holding {
  const holding: Holding = {
    holder,
    amount: 0,
    evict: () => {
      share.give(holding);
      evicted.push(holding);
    },
  };
  return holding;
}

describe("a fair share", () => {
  it("lets one that is alone have all, and no more", () => {
    const share = new FairShare(3);
    const evicted: Holding[] = [];
    const taken = Array.from({ length: 4 }, () => share.take(evictable(share, "a", evicted), 1));
    expect([taken, evicted]).toEqual([[true, true, true, false], []]);
  });

  it("takes from the one that has most, the largest first, for one that has less than its share", () => {
    const share = new FairShare(10);
    const evicted: Holding[] = [];
    const [small, large] = [evictable(share, "a", evicted), evictable(share, "a", evicted)];
    share.take(small, 4);
    share.take(large, 6);
    const other = evictable(share, "b", evicted);
    expect(share.take(other, 5)).toBe(true);
    expect(evicted).toEqual([large]);
    expect(share.take(other, 1)).toBe(true);
    expect(share.take(other, 1)).toBe(false);
    expect(share.total).toBe(10);
  });

  it("gives on top what cannot be taken back, up to an equal share, and to twice the limit in all", () => {
    const share = new FairShare(4);
    for (let call = 0; call < 4; call += 1) share.take({ holder: "a", amount: 0 }, 1);
    const taken = ["b", "b", "b", "c", "c", "d", "d", "e"].map((holder) =>
      share.take({ holder, amount: 0 }, 1),
    );
    // b has a half, c a third, d a quarter; with e, twice the limit would be passed.
    expect(taken).toEqual([true, true, false, true, false, true, false, false]);
    expect(share.total).toBe(8);
  });

  const limit = 12;
  const step = fc.record({
    holder: fc.constantFrom("a", "b", "c", "d"),
    amount: fc.integer({ min: 1, max: 6 }),
    give: fc.boolean(),
  });

  it("counts what is held, passes no limit, and refuses nobody below an equal share", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const share = new FairShare(limit);
        const held = new Map<Holding, number>();
        const evicted: Holding[] = [];
        for (const { holder, amount, give } of steps) {
          const holding = evictable(share, holder, evicted);
          const own = [...held].filter(([{ holder: name }]) => name === holder);
          const before = own.reduce((sum, [, bytes]) => sum + bytes, 0);
          const holders = new Set([...[...held.keys()].map((one) => one.holder), holder]).size;
          const taken = share.take(holding, amount);
          for (const gone of evicted.splice(0)) {
            expect(gone.holder).not.toBe(holder);
            held.delete(gone);
          }
          if (taken) held.set(holding, amount);
          else expect(before + amount).toBeGreaterThan(limit / holders);
          if (give && taken) {
            share.give(holding);
            share.give(holding);
            held.delete(holding);
          }
          expect(share.total).toBe([...held.values()].reduce((sum, bytes) => sum + bytes, 0));
          expect(share.total).toBeLessThanOrEqual(limit);
        }
      }),
    );
  });
});
