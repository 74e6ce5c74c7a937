import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EXACT_LIMIT, planVectorSearch } from "./vector-plan.ts";

describe("planVectorSearch", () => {
  it("compares a small filtered set completely, however large the namespace", () => {
    expect(planVectorSearch({ stored: 1_000_000, eligible: EXACT_LIMIT, limit: 100 })).toEqual({
      kind: "exact",
    });
  });

  it("asks for more proposals, the fewer of them are eligible", () => {
    const all = planVectorSearch({ stored: 100_000, eligible: 100_000, limit: 100 });
    const half = planVectorSearch({ stored: 100_000, eligible: 50_000, limit: 100 });
    expect(all).toEqual({ kind: "proposed", candidates: 200 });
    expect(half).toEqual({ kind: "proposed", candidates: 400 });
  });

  it("always proposes at least as many as are wanted, and never without bound", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 1_000_000 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.integer({ min: 1, max: 101 }),
        (stored, share, limit) => {
          const plan = planVectorSearch({ stored, eligible: Math.floor(stored * share), limit });
          if (plan.kind === "exact") return;
          expect(plan.candidates).toBeGreaterThanOrEqual(limit);
          expect(plan.candidates).toBeLessThanOrEqual(2000);
        },
      ),
      { seed: 1 },
    );
  });
});
