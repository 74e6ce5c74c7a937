import {
  type SearchPlan,
  SearchPlan_SizeBasis as SizeBasis,
  SearchPlan_VectorPolicy as VectorPolicy,
  type SearchPlan_VectorRetriever as VectorRetriever,
} from "#gen/recollect/v1/memory_pb.js";
import { toLine } from "./excerpt.ts";

const BASES: Readonly<Record<SizeBasis, string>> = {
  [SizeBasis.UNSPECIFIED]: "",
  [SizeBasis.COUNTED]: "",
  [SizeBasis.UPPER_BOUND]: "at most ",
  [SizeBasis.ESTIMATED]: "about ",
};

/** The plan of a search in one line: `vector: BATCHES, 400 candidates, at most 20000 pass; terms: tea`. */
export function formatPlan({ vectorRetriever, keywordRetriever, fullScan, rounds }: SearchPlan): string {
  const { terms, commonTerms } = keywordRetriever ?? { terms: [], commonTerms: [] };
  const parts = [
    vectorRetriever === undefined ? "vector: none" : `vector: ${formatVector(vectorRetriever)}`,
    `terms: ${toLine(terms.join(", ")) || "none"}`,
    ...(commonTerms.length === 0 ? [] : [`too common: ${toLine(commonTerms.join(", "))}`]),
    ...(fullScan ? ["full scan"] : []),
    `rounds: ${rounds}`,
  ];
  return parts.join("; ");
}

function formatVector({ policy, candidates, eligibleCount, eligibleBasis }: VectorRetriever): string {
  const parts = [
    VectorPolicy[policy],
    ...(candidates === 0 ? [] : [`${candidates} candidates`]),
    ...(eligibleCount === undefined ? [] : [`${BASES[eligibleBasis]}${eligibleCount} pass`]),
  ];
  return parts.join(", ");
}
