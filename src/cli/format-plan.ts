import {
  type SearchPlan,
  SearchPlan_SizeBasis as SizeBasis,
  type SearchPlan_VectorArm as VectorArm,
  SearchPlan_VectorPolicy as VectorPolicy,
} from "#gen/recollect/v1/memory_pb.js";
import { toLine } from "./excerpt.ts";

const BASES: Readonly<Record<SizeBasis, string>> = {
  [SizeBasis.UNSPECIFIED]: "",
  [SizeBasis.COUNTED]: "",
  [SizeBasis.UPPER_BOUND]: "at most ",
  [SizeBasis.ESTIMATED]: "about ",
};

/** How a search was carried out, in one line: `vector: BATCHES, 400 candidates, at most 20000 pass; terms: tea`. */
export function formatPlan({ vector, terms, commonTerms, walked, rounds }: SearchPlan): string {
  const parts = [
    vector === undefined ? "vector: not asked" : `vector: ${formatVectorArm(vector)}`,
    `terms: ${toLine(terms.join(", ")) || "none"}`,
    ...(commonTerms.length === 0 ? [] : [`too common: ${toLine(commonTerms.join(", "))}`]),
    ...(walked ? ["went through the whole namespace"] : []),
    `rounds: ${rounds}`,
  ];
  return parts.join("; ");
}

function formatVectorArm({ policy, candidates, eligibleCount, eligibleBasis }: VectorArm): string {
  const parts = [
    VectorPolicy[policy],
    ...(candidates === 0 ? [] : [`${candidates} candidates`]),
    ...(eligibleCount === undefined ? [] : [`${BASES[eligibleBasis]}${eligibleCount} pass`]),
  ];
  return parts.join(", ");
}
