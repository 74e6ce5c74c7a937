import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { planKnn } from "./knn-plan.ts";

const HNSW = { algorithm: "HNSW", efRuntime: 64 } as const;

describe("the plan of a search by vector", () => {
  it.each([
    [0, 10_000, 50, "ADHOC_BF"],
    [3_162, 10_000, 50, "ADHOC_BF"],
    [3_163, 10_000, 50, "BATCHES"],
    [4_472, 10_000, 100, "ADHOC_BF"],
    [4_473, 10_000, 100, "BATCHES"],
    [10_000, 10_000, 50, "BATCHES"],
    [10_000, 100_000, 50, "ADHOC_BF"],
    [10_001, 100_000, 50, "BATCHES"],
    // The size of the index is not known: at least those that pass.
    [1_001, 0, 50, "BATCHES"],
    [1_000, 1_000, 3, "ADHOC_BF"],
    [1_001, 1_001, 3, "BATCHES"],
  ] as const)("of %i that pass among %i, for the nearest %i: %s", (eligible, indexed, limit, policy) => {
    expect(planKnn({ ...HNSW, eligible, indexed, limit }).policy).toBe(policy);
  });

  it("is exact without a graph", () => {
    expect(planKnn({ algorithm: "FLAT", efRuntime: 64, eligible: 1e6, indexed: 1e6, limit: 10 })).toEqual({
      policy: "ADHOC_BF",
    });
  });

  it("has an ef above the limit, and no less than the configured one", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1000 }),
        fc.integer({ min: 1, max: 1000 }),
        (limit, efRuntime) => {
          const plan = planKnn({ algorithm: "HNSW", efRuntime, eligible: 1e6, indexed: 1e6, limit });
          expect(plan.policy === "BATCHES" && plan.ef >= efRuntime && plan.ef > limit).toBe(true);
        },
      ),
    );
  });
});
