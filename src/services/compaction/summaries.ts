import type { Memory } from "../../domain/memory/memory.ts";
import type { Planner } from "../../ports/compaction/planner.ts";
import type { Log } from "../../ports/log.ts";
import type { CompactionMetrics } from "../../ports/metrics.ts";
import type { Summarizer } from "../../ports/summarizer.ts";
import { Deadline } from "../deadline.ts";

export interface SummaryPorts {
  /** Undefined: no COMPACTION_LLM_MODEL, summaries are extracts. */
  readonly summarizer: Summarizer | undefined;
  readonly planner: Pick<Planner, "checkSummary">;
  readonly metrics: CompactionMetrics;
  readonly log: Log;
}

/** Shorter than a lease. */
const MODEL_TIMEOUT_MS = 30_000;

/**
 * A summary by the language model; undefined when there is none, it fails, or its answer does not pass validation: then the
 * extract is used. An answer is only ever the text of a summary, so that none changes a source. Rejects with the signal's
 * reason.
 */
export async function modelSummary(
  { summarizer, planner, metrics, log }: SummaryPorts,
  sources: readonly Memory[],
  maxTokens: number,
  signal: AbortSignal,
): Promise<{ readonly text: string; readonly tokens: number } | undefined> {
  if (summarizer === undefined) return undefined;
  using deadline = new Deadline(MODEL_TIMEOUT_MS, { signal });
  try {
    const { answer, tokens } = await summarizer.summarize(
      sources.map(({ author, text }) => ({ author, text })),
      { maxTokens, signal: deadline.signal },
    );
    metrics.compactionModelTokens(tokens);
    const verdict = await planner.checkSummary(answer, sources, signal);
    metrics.compactionModelAnswer("refusal" in verdict ? verdict.refusal.toLowerCase() : "used");
    return "refusal" in verdict ? undefined : verdict;
  } catch (error) {
    signal.throwIfAborted();
    metrics.compactionModelAnswer("failed");
    // The message of an error may quote texts.
    log.warn(
      { error: error instanceof Error ? error.name : "unknown" },
      "the language model gave no summary: an extract is used",
    );
    return undefined;
  }
}
