import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FairShare, type Allocation } from "./fair-share.ts";

/** A share whose holdings can be taken back; those that were are in `evicted`. */
function evictableShare(limit: number) {
  const held = new Set<Allocation>();
  const evicted: Allocation[] = [];
  const share = new FairShare(limit, () => held);
  return {
    share,
    evicted,
    /** Takes so much as one more holding, or as this one. */
    take: (holder: string, amount: number, more?: Allocation): Allocation | undefined => {
      const holding: Allocation = more ?? {
        holder,
        amount: 0,
        evict: () => {
          share.give(holding);
          held.delete(holding);
          evicted.push(holding);
        },
      };
      if (!share.take(holding, amount)) return undefined;
      held.add(holding);
      return holding;
    },
    give: (holding: Allocation): void => {
      share.give(holding);
      held.delete(holding);
    },
  };
}

describe("a fair share", () => {
  it("lets one that is alone have all, and no more", () => {
    const { take, evicted } = evictableShare(3);
    const taken = Array.from({ length: 4 }, () => take("a", 1) !== undefined);
    expect([taken, evicted]).toEqual([[true, true, true, false], []]);
  });

  it("takes from the one that has most, the largest first, for one that has less than its share", () => {
    const { take, evicted, share } = evictableShare(10);
    take("a", 4);
    const large = take("a", 6);
    const other = take("b", 5);
    expect(evicted).toEqual([large]);
    expect(take("b", 1, other)).toBe(other);
    expect(take("b", 1, other)).toBeUndefined();
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
        const { share, take, give, evicted } = evictableShare(limit);
        const held = new Map<Allocation, number>();
        for (const { holder, amount, give: givesUp } of steps) {
          const own = [...held].filter(([{ holder: name }]) => name === holder);
          const before = own.reduce((sum, [, bytes]) => sum + bytes, 0);
          const holders = new Set([...[...held.keys()].map((one) => one.holder), holder]).size;
          const taken = take(holder, amount);
          for (const gone of evicted.splice(0)) {
            expect(gone.holder).not.toBe(holder);
            held.delete(gone);
          }
          if (taken === undefined) expect(before + amount).toBeGreaterThan(limit / holders);
          else held.set(taken, amount);
          if (givesUp && taken !== undefined) {
            give(taken);
            give(taken);
            held.delete(taken);
          }
          expect(share.total).toBe([...held.values()].reduce((sum, bytes) => sum + bytes, 0));
          expect(share.total).toBeLessThanOrEqual(limit);
        }
      }),
    );
  });
});
