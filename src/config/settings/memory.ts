import { integer, word } from "../kinds.ts";
import { setting } from "../setting.ts";

/** Memories. */
export const MEMORY = {
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
