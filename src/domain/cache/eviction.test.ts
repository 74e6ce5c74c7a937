import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { excessEntries, keepScore } from "./eviction.ts";

const time = fc.integer({ min: 0, max: 4_000_000_000_000 });

describe("keepScore", () => {
  it("orders entries by their last use", () => {
    fc.assert(
      fc.property(time, time, (one, other) => {
        const [a, b] = [keepScore({ lastUseTime: one }), keepScore({ lastUseTime: other })];
        expect(Math.sign(a - b)).toBe(Math.sign(one - other));
      }),
      { seed: 1, numRuns: 200 },
    );
  });
});

describe("excessEntries", () => {
  it("is the excess above the bound, and 0 below", () => {
    const count = fc.nat({ max: 1_000_000 });
    fc.assert(
      fc.property(count, count, (entries, maxEntries) => {
        const excess = excessEntries(entries, maxEntries);
        expect(excess).toBeGreaterThanOrEqual(0);
        expect(entries - excess).toBe(Math.min(entries, maxEntries));
      }),
      { seed: 1, numRuns: 200 },
    );
  });
});
