import { type Meter, ValueType } from "@opentelemetry/api";
import type { CompactionMetrics, CompactionOverview } from "../ports/metrics.ts";

/** Seconds; from a small scope to a namespace of 100,000 memories. */
const DURATION_BUCKETS = [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 120, 300];

const NONE: CompactionOverview = { efficiency: 0, oldestChangeMs: 0, unclaimedRuns: 0 };

/** Metrics of compactions; counters appear with their first value. */
export function createCompactionInstruments(meter: Meter): CompactionMetrics {
  const memories = meter.createCounter("recollect_compaction_memories", {
    description:
      "Memories, by what compactions did (created, superseded, archived, purged, restored; refused: not merged) and why.",
    valueType: ValueType.INT,
  });
  const runs = meter.createCounter("recollect_compaction_runs", {
    description: "Compactions that ended on this server, by state.",
    valueType: ValueType.INT,
  });
  for (const state of ["SUCCEEDED", "FAILED", "CANCELLED", "UNDONE"]) runs.add(0, { state });
  const before = meter.createCounter("recollect_compaction_tokens_before", {
    description: "Tokens (o200k) of the active memories before the compactions that ended on this server.",
    valueType: ValueType.INT,
  });
  const after = meter.createCounter("recollect_compaction_tokens_after", {
    description: "Tokens after them.",
    valueType: ValueType.INT,
  });
  const modelTokens = meter.createCounter("recollect_compaction_llm_tokens", {
    description: "Tokens that the language model of summaries charged for.",
    valueType: ValueType.INT,
  });
  for (const counter of [before, after, modelTokens]) counter.add(0);
  const answers = meter.createCounter("recollect_compaction_llm_answers", {
    description: "Summaries of the language model, by outcome: used, failed, or why validation refused it.",
    valueType: ValueType.INT,
  });
  const durations = meter.createHistogram("recollect_compaction_duration_seconds", {
    description: "Duration of the phases of compactions.",
    unit: "s",
    advice: { explicitBucketBoundaries: DURATION_BUCKETS },
  });
  return {
    compactedMemories: (action, reason, count) =>
      memories.add(count, { action, reason: reason.toLowerCase() }),
    compactionEnded: (state, tokensBefore, tokensAfter) => {
      runs.add(1, { state });
      before.add(tokensBefore);
      after.add(tokensAfter);
    },
    compactionPhase: (phase, milliseconds) => durations.record(milliseconds / 1000, { phase }),
    compactionModelTokens: (count) => modelTokens.add(count),
    compactionModelAnswer: (outcome) => answers.add(1, { outcome }),
    observeCompactions: createOverviewInstruments(meter),
  };
}

/** Values of the store; several servers of one process are added up, and the efficiency is the last one's. */
function createOverviewInstruments(meter: Meter): CompactionMetrics["observeCompactions"] {
  const readers = new Set<() => Promise<CompactionOverview>>();
  // A store that does not answer is omitted from the scrape; calls report the error.
  const overviews = (): Promise<readonly CompactionOverview[]> =>
    Promise.all([...readers].map((read) => read().catch(() => NONE)));
  meter
    .createObservableGauge("compaction_efficiency", {
      description:
        "1 - tokens after / tokens before, over the compactions that ended within 24 hours on any server; 0 without any.",
    })
    .addCallback(async (result) => result.observe((await overviews()).at(-1)?.efficiency ?? 0));
  meter
    .createObservableGauge("recollect_compaction_oldest_change_seconds", {
      description:
        "How long the scope that waits longest for a scheduled compaction has had changes; 0: none waits.",
      unit: "s",
    })
    .addCallback(async (result) =>
      result.observe(Math.max(0, ...(await overviews()).map(({ oldestChangeMs }) => oldestChangeMs)) / 1000),
    );
  meter
    .createObservableGauge("recollect_compaction_unclaimed_runs", {
      description: "Compactions that have not ended and that no server works on.",
      valueType: ValueType.INT,
    })
    .addCallback(async (result) =>
      result.observe((await overviews()).reduce((sum, { unclaimedRuns }) => sum + unclaimedRuns, 0)),
    );
  return (read) => {
    readers.add(read);
    return () => void readers.delete(read);
  };
}
