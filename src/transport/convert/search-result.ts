import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  SearchMemoriesResponse_Degradation as Degradation,
  type SearchMemoriesResponse_ResultSchema,
  type SearchMemoriesResponseSchema,
} from "#gen/recollect/v1/memory_pb.js";
import type { FoundMemory, SearchMemoriesOutput } from "../../services/memory/search-memories.ts";
import { defined } from "./common.ts";
import { fromStoredMemory } from "./memory.ts";
import { fromSearchPlan } from "./search-plan.ts";

/** One result; with `explain`, the parts of its score too. */
export function searchResult(
  { memory, ranked, similarity, redundancy, matchedTerms, neighbors = [], retentionScore }: FoundMemory,
  namespace: string,
  explain: boolean,
): MessageInitShape<typeof SearchMemoriesResponse_ResultSchema> {
  return {
    memory: fromStoredMemory(memory, namespace),
    score: ranked.score,
    ...defined({ similarity }),
    neighbors: neighbors.map((one) => fromStoredMemory(one, namespace)),
    ...(explain
      ? {
          explanation: {
            vectorRank: ranked.vectorRank,
            vectorScore: ranked.vectorScore,
            keywordRank: ranked.keywordRank,
            keywordScore: ranked.keywordScore,
            bm25: ranked.candidate.bm25 ?? 0,
            matchedTerms: [...matchedTerms],
            vectorWeight: ranked.vectorWeight,
            fusedScore: ranked.fusedScore,
            recencyBoost: ranked.recencyBoost,
            importanceBoost: ranked.importanceBoost,
            redundancy: redundancy ?? 0,
            retentionScore,
          },
        }
      : {}),
  };
}

/** The fields of a response beside its results and `truncated`. */
export function searchDetails(
  { degraded, plan }: Pick<SearchMemoriesOutput, "degraded" | "plan">,
  explain: boolean,
): Exclude<MessageInitShape<typeof SearchMemoriesResponseSchema>, { $typeName: string }> {
  return {
    degraded: degraded.map((retriever) =>
      retriever === "VECTOR" ? Degradation.VECTOR_UNAVAILABLE : Degradation.KEYWORD_UNAVAILABLE,
    ),
    ...(explain && plan !== undefined ? { plan: fromSearchPlan(plan) } : {}),
  };
}
