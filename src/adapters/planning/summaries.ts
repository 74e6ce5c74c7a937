import { extractSummary } from "../../domain/compaction/summary.ts";
import { validateSummary } from "../../domain/compaction/summary-validation.ts";
import type { Memory } from "../../domain/memory/memory.ts";
import type { SummaryVerdict } from "../../ports/compaction/planner.ts";
import type { PlanningTools } from "./plan-user.ts";

/** A summary of a language model may have at most this share of the tokens of its sources. */
const MAX_SHARE = 0.6;

export function checkSummary(
  answer: string,
  sources: readonly Memory[],
  { lexicon, countTokens }: PlanningTools,
): SummaryVerdict {
  const all = sources.reduce((sum, { text }) => sum + countTokens(text), 0);
  const limits = { maxTokens: Math.floor(all * MAX_SHARE), agreement: 1 };
  const verdict = validateSummary(answer, sources, limits, countTokens, lexicon);
  return "rejection" in verdict
    ? { refusal: verdict.rejection }
    : { text: verdict.summary, tokens: countTokens(verdict.summary) };
}

/** An extract that may be as long as the sources; where there is none, their texts. */
export function extract(sources: readonly Memory[], { lexicon, countTokens }: PlanningTools): string {
  const texts = sources.map(({ author, text }) => (author === "" ? text : `${author}: ${text}`));
  const maxTokens = texts.reduce((sum, text) => sum + countTokens(text) + 1, 0);
  return extractSummary(sources, { maxTokens, agreement: 1 }, countTokens, lexicon) ?? texts.join("\n");
}
