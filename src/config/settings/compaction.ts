import { boolean, httpUrl, integer, number, text, word } from "../kinds.ts";
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
    fallback: undefined,
    unset: "moderate; light while no setting of this section is set",
    description: "How far a run goes.",
  }),
  compactionCheckInterval: setting({
    env: "COMPACTION_CHECK_INTERVAL_HOURS",
    yaml: "compactor.check_interval_hours",
    kind: number(0.01, 8760),
    fallback: 24,
    description: "Hours after a change of a user's memories after which a run over them is due.",
  }),
  compactionLlmModel: setting({
    env: "COMPACTION_LLM_MODEL",
    yaml: "compactor.llm_model",
    kind: text,
    fallback: undefined,
    unset: "none: summaries are extracts",
    description:
      "Language model that writes summaries, at a server with the API of OpenAI. Its answers are validated; one that fails is replaced by an extract.",
  }),
  compactionLlmApiKey: setting({
    env: "COMPACTION_LLM_API_KEY",
    yaml: "compactor.llm_api_key",
    kind: text,
    fallback: undefined,
    unset: "that of EMBEDDING_API_KEY",
    secret: "all",
    description: "Its key.",
  }),
  compactionLlmApiBase: setting({
    env: "COMPACTION_LLM_API_BASE",
    yaml: "compactor.llm_api_base",
    kind: httpUrl,
    fallback: undefined,
    unset: "that of EMBEDDING_API_BASE",
    description: "Its base URL.",
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
  compactionMaxChanges: setting({
    yaml: "compactor.max_changes",
    kind: integer(1, 1_000_000_000),
    fallback: 1000,
    description: "So many changes of a user's memories make a run due before the hours are over.",
  }),
  compactionUndoDays: setting({
    yaml: "compactor.undo_days",
    kind: number(0, 3650),
    fallback: 7,
    description: "Days for which a run can be undone.",
  }),
  compactionPurgeAfter: setting({
    yaml: "compactor.purge_after_days",
    kind: number(0, 3650),
    fallback: 0,
    description:
      "Days after a run after which what it removed from default reads is deleted for good; 0: never. Not less than undo_days.",
  }),
  compactionMaxAffected: setting({
    yaml: "compactor.max_affected_fraction",
    kind: number(0, 1),
    fallback: 0.1,
    description: "Share of a scope that one run may change; 20 memories are always allowed.",
  }),
};
