import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import {
  SearchPlanSchema,
  SearchPlan_SizeBasis as SizeBasis,
  SearchPlan_VectorPolicy as VectorPolicy,
} from "#gen/recollect/v1/memory_pb.js";
import { formatPlan } from "./format-plan.ts";

const format = (plan: MessageInitShape<typeof SearchPlanSchema>): string =>
  formatPlan(create(SearchPlanSchema, plan));

describe("formatPlan", () => {
  it("shows policy, candidates, size and terms of a search", () => {
    const vectorRetriever = {
      policy: VectorPolicy.BATCHES,
      candidates: 400,
      eligibleCount: 20_000,
      eligibleBasis: SizeBasis.UPPER_BOUND,
    };
    expect(
      format({
        vectorRetriever,
        keywordRetriever: { terms: ["rare", "seldom"], commonTerms: ["common"] },
        rounds: 2,
      }),
    ).toBe(
      "vector: BATCHES, 400 candidates, at most 20000 pass; terms: rare, seldom; too common: common; rounds: 2",
    );
  });

  it("shows an unused retriever, and a full scan", () => {
    expect(format({ fullScan: true, rounds: 1 })).toBe("vector: none; terms: none; full scan; rounds: 1");
    expect(
      format({
        vectorRetriever: { policy: VectorPolicy.FLAT },
        keywordRetriever: { terms: ["tea"] },
        rounds: 1,
      }),
    ).toBe("vector: FLAT; terms: tea; rounds: 1");
  });
});
