import { boolean, number, text, word } from "../kinds.ts";
import { setting } from "../setting.ts";

/** Compaction of memories. */
export const COMPACTION = {
  compactionEnabled: setting({
    env: "COMPACTION_ENABLED",
    yaml: "compactor.enabled",
    kind: boolean,
    fallback: true,
    description: "Whether memories are compacted by a schedule; calls compact either way.",
  }),
  compactionStrategy: setting({
    env: "COMPACTION_STRATEGY",
    yaml: "compactor.strategy",
    kind: word("hybrid", "dedup", "decay", "summarize"),
    fallback: "hybrid",
    description: "What a run does.",
  }),
  compactionLevel: setting({
    env: "COMPACTION_LEVEL",
    yaml: "compactor.level",
    kind: word("light", "moderate", "aggressive"),
    fallback: "moderate",
    description: "How far a run goes.",
  }),
  compactionCheckInterval: setting({
    env: "COMPACTION_CHECK_INTERVAL_HOURS",
    yaml: "compactor.check_interval_hours",
    kind: number(0.01, 8760),
    fallback: 24,
    description: "Hours between two runs.",
  }),
  compactionLlmModel: setting({
    env: "COMPACTION_LLM_MODEL",
    yaml: "compactor.llm_model",
    kind: text,
    fallback: undefined,
    unset: "none: summaries are extracts",
    description: "Language model that writes summaries.",
  }),
  compactionKeepRecent: setting({
    yaml: "compactor.keep_recent_hours",
    kind: number(0, 87_600),
    fallback: 24,
    description: "Hours for which a memory is not touched.",
  }),
  compactionKeepImportant: setting({
    yaml: "compactor.keep_important_days",
    kind: number(0, 3650),
    fallback: 7,
    description: "Days for which an important memory is not touched.",
  }),
  compactionMinImportance: setting({
    yaml: "compactor.min_importance",
    kind: number(0, 1),
    fallback: 0.3,
    description: "What is less important is the first to go.",
  }),
  compactionMaxAffected: setting({
    yaml: "compactor.max_affected_fraction",
    kind: number(0, 1),
    fallback: 0.1,
    description: "Share of a scope that one run may change; 20 memories are always allowed.",
  }),
};
