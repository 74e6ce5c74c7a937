import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { toUnit } from "../embedding/vector.ts";
import { type Diverse, diversify } from "./diversity.ts";

const vector = (...numbers: readonly number[]): Float32Array =>
  toUnit(Float32Array.from(numbers)) as Float32Array;

const ranked = fc
  .array(
    fc.record({
      score: fc.double({ min: 0, max: 1, noNaN: true }),
      vector: fc.option(
        fc
          .tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: -9, max: 9 }))
          .map(([x, y]) => vector(x, y)),
        { nil: undefined },
      ),
    }),
    { maxLength: 20 },
  )
  .map((all): Diverse[] => all.sort((a, b) => b.score - a.score));
const diversity = fc.double({ min: 0, max: 1, noNaN: true });

describe("diversify", () => {
  it("prefers a less relevant result over a repetition", () => {
    const all = [
      { name: "best", score: 1, vector: vector(1, 0) },
      { name: "same", score: 0.9, vector: vector(1, 0.01) },
      { name: "other", score: 0.6, vector: vector(0, 1) },
    ];
    const names = (share: number): string[] => diversify(all, share, 2).map(({ one }) => one.name);
    expect(names(0)).toEqual(["best", "same"]);
    expect(names(0.5)).toEqual(["best", "other"]);
  });

  it("reports the similarity to the nearest result before", () => {
    const all = [
      { score: 1, vector: vector(1, 0) },
      { score: 0.5, vector: vector(0, 1) },
      { score: 0.4, vector: vector(1, 1) },
      { score: 0.3, vector: undefined },
    ];
    const redundancies = diversify(all, 0, 4).map(({ redundancy }) => redundancy);
    expect(redundancies.slice(0, 2)).toEqual([0, 0]);
    expect(redundancies[2]).toBeCloseTo(Math.SQRT1_2, 6);
    expect(redundancies[3]).toBe(0);
  });

  it("is the ranking itself for diversity 0", () => {
    fc.assert(
      fc.property(ranked, fc.nat(20), (all, limit) => {
        expect(diversify(all, 0, limit).map(({ one }) => one)).toEqual(all.slice(0, limit));
      }),
    );
  });

  it("takes the best first, each at most once, and as many as asked for", () => {
    fc.assert(
      fc.property(ranked, diversity, fc.integer({ min: 1, max: 20 }), (all, share, limit) => {
        const chosen = diversify(all, share, limit).map(({ one }) => one);
        expect(chosen).toHaveLength(Math.min(limit, all.length));
        expect(new Set(chosen).size).toBe(chosen.length);
        if (share < 1) expect(chosen[0]).toBe(all[0]);
      }),
    );
  });

  it("of two results that are alike to those before never puts the less relevant first", () => {
    fc.assert(
      fc.property(ranked, diversity, (all, share) => {
        const twins = all.flatMap((one, at) => [
          { ...one, at: 2 * at },
          { ...one, at: 2 * at + 1 },
        ]);
        const order = diversify(twins, share, twins.length).map(({ one }) => one.at);
        for (let at = 0; at < all.length; at += 1) {
          expect(order.indexOf(2 * at)).toBeLessThan(order.indexOf(2 * at + 1));
        }
      }),
    );
  });
});
