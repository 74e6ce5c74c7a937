import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type SearchPlanSchema,
  SearchPlan_SizeBasis as SizeBasis,
  SearchPlan_VectorPolicy as VectorPolicy,
} from "#gen/recollect/v1/memory_pb.js";
import type { SearchPlan, VectorRetrieverPlan } from "../../domain/memory/search-plan.ts";

export function fromSearchPlan(plan: SearchPlan): MessageInitShape<typeof SearchPlanSchema> {
  const { vector, terms, commonTerms, walked, rounds } = plan;
  return {
    ...(vector === undefined ? {} : { vectorRetriever: fromVector(vector) }),
    ...(terms.length + commonTerms.length === 0
      ? {}
      : { keywordRetriever: { terms: [...terms], commonTerms: [...commonTerms] } }),
    fullScan: walked,
    rounds,
  };
}

function fromVector({ policy, candidates, eligible }: VectorRetrieverPlan) {
  return {
    policy: VectorPolicy[policy],
    candidates,
    ...(eligible === undefined
      ? {}
      : { eligibleCount: eligible.count, eligibleBasis: SizeBasis[eligible.basis] }),
  };
}
