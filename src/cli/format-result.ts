import type { JsonValue } from "@bufbuild/protobuf";
import type {
  Memory,
  SearchMemoriesResponse_Explanation,
  SearchMemoriesResponse_Result,
} from "#gen/recollect/v1/memory_pb.js";
import { excerpt, toLine } from "./excerpt.ts";
import { historyOf } from "./format-memory.ts";

const EXCERPT_LENGTH = 160;
const INDENT = "    ";

/**
 * A search result: rank, score, similarity, source and the state of one that is not ACTIVE, then the beginning of the text, and
 * its neighbours by their positions.
 */
export function formatResult(result: SearchMemoriesResponse_Result, rank: number): string[] {
  const { memory, score, similarity, explanation, neighbors } = result;
  const fields = [
    `${String(rank).padStart(2)}.`,
    `score ${score.toFixed(3)}`,
    similarity === undefined ? "no similarity" : `similarity ${similarity.toFixed(3)}`,
    originOf(result),
    memory === undefined ? "" : historyOf(memory),
  ];
  return [
    fields.filter((part) => part !== "").join("  "),
    `${INDENT}${excerpt(memory?.text ?? "", EXCERPT_LENGTH)}`,
    ...(explanation === undefined ? [] : formatExplanation(explanation)),
    `${INDENT}id ${memory?.id ?? ""}`,
    ...neighbors.map((one) => `${INDENT}${sideOf(one, memory)} ${excerpt(one.text, EXCERPT_LENGTH)}`),
  ];
}

function sideOf({ sessionPosition }: Memory, result: Memory | undefined): string {
  return `${sessionPosition < (result?.sessionPosition ?? 0) ? "before" : "after"} (${sessionPosition}):`;
}

/** Document and heading of a passage, else the speaker, else empty. */
function originOf({ memory }: SearchMemoriesResponse_Result): string {
  const source = textOf(memory?.metadata?.["source"]);
  const heading = textOf(memory?.metadata?.["heading"]);
  if (source !== "") return toLine(heading === "" ? source : `${source} # ${heading}`);
  return toLine(memory?.author || memory?.role || "");
}

function textOf(value: JsonValue | undefined): string {
  return typeof value === "string" ? value : "";
}

function formatExplanation(parts: SearchMemoriesResponse_Explanation): string[] {
  const contribution = (rank: number, score: number): string =>
    rank === 0 ? "not a candidate" : `rank ${rank}, score ${score.toFixed(3)}`;
  return [
    `by vector: ${contribution(parts.vectorRank, parts.vectorScore)}, weight ${parts.vectorWeight.toFixed(2)}`,
    `by keyword: ${contribution(parts.keywordRank, parts.keywordScore)}, BM25 ${parts.bm25.toFixed(3)}, ` +
      `terms: ${toLine(parts.matchedTerms.join(", ")) || "none"}`,
    `fused ${parts.fusedScore.toFixed(3)}, recency boost ${parts.recencyBoost.toFixed(3)}, ` +
      `importance boost ${parts.importanceBoost.toFixed(3)}`,
    `retention ${parts.retentionScore.toFixed(3)}`,
  ].map((line) => `${INDENT}${line}`);
}
