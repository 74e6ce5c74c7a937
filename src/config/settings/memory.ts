import { integer } from "../kinds.ts";
import { setting } from "../setting.ts";

/** The history of memories. */
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
};
