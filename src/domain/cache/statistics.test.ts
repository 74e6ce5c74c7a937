import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { CacheLookup } from "./lookup-counts.ts";
import { detailsFrom, detailsOf } from "./statistics.ts";

/** The details of lookups, as a store adds them up. */
function summed(lookups: readonly CacheLookup[]) {
  const counters = new Map<string, number>();
  for (const lookup of lookups) {
    for (const [name, added] of detailsOf(lookup)) counters.set(name, (counters.get(name) ?? 0) + added);
  }
  return detailsFrom(counters);
}

describe("details of lookups", () => {
  it("count reasons, and sum what served answers had cost", () => {
    const usage = { promptTokens: 5, completionTokens: 7, generationMs: 250, costUsd: 0.5 };
    expect(
      summed([
        { kind: "MISS" },
        { kind: "MISS", reason: "TOO_OLD" },
        { kind: "MISS", reason: "GUARD", guardReasons: ["UNIT", "DATE"] },
        { kind: "EXACT", id: "e", usage },
        { kind: "SEMANTIC", id: "e", usage },
        { kind: "EXACT", id: "f" },
      ]),
    ).toEqual({
      missReasons: { TOO_OLD: 1, GUARD: 1 },
      guardReasons: { UNIT: 1, DATE: 1 },
      saved: { promptTokens: 10, completionTokens: 14, generationMs: 500, costUsd: 1 },
      removed: { expired: 0, invalidated: 0, quarantined: 0 },
      reports: { CORRECT: 0, INCORRECT: 0, STALE: 0 },
    });
  });

  it("stay finite, whatever a caller says that answers cost", () => {
    const usage = fc.record({
      promptTokens: fc.nat({ max: 2 ** 31 - 1 }),
      completionTokens: fc.nat({ max: 2 ** 31 - 1 }),
      generationMs: fc.double({ min: 0, max: 3.2e14, noNaN: true }),
      costUsd: fc.double({ min: 0, max: Number.MAX_VALUE, noNaN: true }),
    });
    fc.assert(
      fc.property(fc.array(usage, { maxLength: 50 }), (usages) => {
        const { saved } = summed(usages.map((one) => ({ kind: "EXACT", id: "e", usage: one })));
        expect(saved.costUsd).toBeLessThanOrEqual(50 * 1_000_000);
        expect(saved.generationMs).toBeLessThanOrEqual(50 * 86_400_000);
        expect(Number.isSafeInteger(saved.promptTokens + saved.completionTokens)).toBe(true);
      }),
      { seed: 1, numRuns: 200 },
    );
  });
});
