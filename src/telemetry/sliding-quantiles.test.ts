import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SlidingQuantiles } from "./sliding-quantiles.ts";

function of(values: readonly number[], size?: number): SlidingQuantiles {
  const quantiles = new SlidingQuantiles(size);
  for (const value of values) quantiles.add(value);
  return quantiles;
}

const values = fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), { minLength: 1, maxLength: 40 });

describe("SlidingQuantiles", () => {
  it("is 0 while it is empty", () => {
    expect(new SlidingQuantiles().quantile(0.5)).toBe(0);
  });

  it("returns the nearest rank", () => {
    const hundred = of(Array.from({ length: 100 }, (_, index) => 100 - index));
    expect([0, 0.5, 0.95, 0.99, 1].map((share) => hundred.quantile(share))).toEqual([1, 50, 95, 99, 100]);
  });

  it("orders numbers as numbers", () => {
    expect(of([10, 9, 100]).quantile(0.5)).toBe(10);
  });

  it.each([0.5, 0.95, 0.99])("returns the smallest value that a share of %d does not exceed", (share) => {
    fc.assert(
      fc.property(values, (some) => {
        const quantile = of(some).quantile(share);
        expect(some).toContain(quantile);
        expect(some.filter((value) => value <= quantile).length).toBeGreaterThanOrEqual(share * some.length);
        expect(some.filter((value) => value < quantile).length).toBeLessThan(share * some.length);
      }),
      { seed: 1, numRuns: 200 },
    );
  });

  it("covers only the latest values", () => {
    fc.assert(
      fc.property(values, fc.integer({ min: 1, max: 10 }), (some, size) => {
        for (const share of [0, 0.5, 1]) {
          expect(of(some, size).quantile(share)).toBe(of(some.slice(-size)).quantile(share));
        }
      }),
      { seed: 1, numRuns: 200 },
    );
  });

  it("does not change by a read", () => {
    const quantiles = of([3, 1, 2], 3);
    quantiles.quantile(0.5);
    quantiles.add(9);
    expect([quantiles.quantile(0), quantiles.quantile(1)]).toEqual([1, 9]);
  });
});
