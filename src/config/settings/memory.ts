import { integer, word } from "../kinds.ts";
import { setting } from "../setting.ts";

/** The history of memories, and the write guards. */
export const MEMORY = {
  memoryMaxChanges: setting({
    env: "MEMORY_MAX_CHANGES",
    yaml: "memory.max_changes",
    kind: integer(1, 10_000_000),
    fallback: 100_000,
    description: "Changes that the change feed of a namespace keeps, some 60 bytes each.",
  }),
  memoryChangeRetention: setting({
    env: "MEMORY_CHANGE_RETENTION_DAYS",
    yaml: "memory.change_retention_days",
    kind: integer(1, 3650),
    fallback: 7,
    description: "Days for which it keeps them. Each write removes older ones.",
  }),
  memorySecrets: setting({
    env: "MEMORY_SECRETS",
    yaml: "memory.secrets",
    kind: word("flag", "redact", "quarantine", "reject", "off"),
    fallback: "flag",
    reloadable: true,
    description:
      "What a write does with keys and tokens of known forms in a memory's text and metadata (see docs/security.md).",
  }),
  memoryRecallLoopMinutes: setting({
    env: "MEMORY_RECALL_LOOP_MINUTES",
    yaml: "memory.recall_loop_minutes",
    kind: integer(0, 525_600),
    fallback: 60,
    reloadable: true,
    description:
      "Minutes after an access to a memory for which the same text, stored again for the same user, returns that memory; 0 stores it again.",
  }),
};
