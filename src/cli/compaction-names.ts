import {
  CompactionAction,
  CompactionLevel,
  CompactionReason,
  CompactionStrategy,
  Compaction_State as State,
} from "#gen/recollect/v1/compaction_pb.js";

export const STRATEGIES = ["dedup", "decay", "summarize", "hybrid"] as const;
export const LEVELS = ["light", "moderate", "aggressive"] as const;

export function toStrategy(name: (typeof STRATEGIES)[number] | undefined): CompactionStrategy {
  return name === undefined
    ? CompactionStrategy.UNSPECIFIED
    : CompactionStrategy[name.toUpperCase() as Uppercase<typeof name>];
}

export function toLevel(name: (typeof LEVELS)[number] | undefined): CompactionLevel {
  return name === undefined
    ? CompactionLevel.UNSPECIFIED
    : CompactionLevel[name.toUpperCase() as Uppercase<typeof name>];
}

/** `equal text` for EQUAL_TEXT; `?` for a value that this client does not know. */
function nameOf(names: Readonly<Record<number, string | undefined>>, value: number): string {
  return (names[value] ?? "?").toLowerCase().replaceAll("_", " ");
}

export const strategyName = (value: CompactionStrategy): string => nameOf(CompactionStrategy, value);
export const levelName = (value: CompactionLevel): string => nameOf(CompactionLevel, value);
export const actionName = (value: CompactionAction): string => nameOf(CompactionAction, value);
export const reasonName = (value: CompactionReason): string => nameOf(CompactionReason, value);
export const stateName = (value: State): string => nameOf(State, value);
