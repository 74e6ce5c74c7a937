import type { RecollectError } from "../errors.ts";

export const COMPACTION_STRATEGIES = ["DEDUP", "DECAY", "SUMMARIZE", "HYBRID"] as const;
export type CompactionStrategy = (typeof COMPACTION_STRATEGIES)[number];

export const COMPACTION_LEVELS = ["LIGHT", "MODERATE", "AGGRESSIVE"] as const;
export type CompactionLevel = (typeof COMPACTION_LEVELS)[number];

/** What a run does with a group of memories; compaction.proto explains each. */
export type CompactionAction = "MERGE" | "SUPERSEDE" | "ARCHIVE" | "SUMMARIZE" | "KEEP";

/** Why; compaction.proto explains each. */
export type CompactionReason =
  | "EQUAL_TEXT"
  | "SAME_WORDS"
  | "SAME_MEANING"
  | "NEWER_VALUE"
  | "LOW_RETENTION"
  | "LOW_IMPORTANCE"
  | "SUMMARIZED"
  | "GUARD"
  | "UNCALIBRATED"
  | "PROTECTED"
  | "CAP";

export type RunState =
  | "PLANNING"
  | "AWAITING_APPROVAL"
  | "APPLYING"
  | "SUCCEEDED"
  | "FAILED"
  | "CANCELLED"
  | "UNDONE";

/** Whether nothing more happens to a run by itself. */
export function hasEnded(state: RunState): boolean {
  return state === "SUCCEEDED" || state === "FAILED" || state === "CANCELLED" || state === "UNDONE";
}

/** Whether a process works on a run in this state, or one has to continue it. */
export function isUnderWay(state: RunState): boolean {
  return state === "PLANNING" || state === "APPLYING";
}

/** Whether runs of these users overlap; undefined: every user. */
export function overlap(one: string | undefined, other: string | undefined): boolean {
  return one === undefined || other === undefined || one === other;
}

/** The complete policy of a run. Durations in milliseconds. */
export interface CompactionPolicy {
  readonly strategy: CompactionStrategy;
  readonly level: CompactionLevel;
  readonly keepRecentMs: number;
  readonly keepImportantMs: number;
  /** 0..1. */
  readonly minImportance: number;
  /** 0..1. */
  readonly maxAffectedFraction: number;
}

/** How many groups and memories of a plan have an action and a reason. */
export interface ActionCount {
  readonly action: CompactionAction;
  readonly reason: CompactionReason;
  readonly groups: number;
  readonly memories: number;
}

/** One run over one namespace, or one user in it. Times in milliseconds since the epoch. */
export interface CompactionRun {
  readonly id: string;
  /** Undefined: every user. */
  readonly userId?: string;
  readonly policy: CompactionPolicy;
  readonly state: RunState;
  readonly createTime: number;
  readonly endTime?: number;
  readonly requiresApproval: boolean;
  readonly scheduled: boolean;
  readonly cancelRequested: boolean;
  readonly approvalExpireTime?: number;
  readonly undoExpireTime?: number;
  readonly examined: number;
  /** Groups of the plan, done (applied or dropped), dropped, and undone. */
  readonly groups: number;
  readonly doneGroups: number;
  readonly droppedGroups: number;
  readonly undoneGroups: number;
  /** Memories that have left default reads, and that were created. */
  readonly affected: number;
  readonly created: number;
  readonly counts: readonly ActionCount[];
  readonly tokensBefore: number;
  readonly tokensAfter: number;
  /** Why it failed: reason and message, without texts of memories. */
  readonly error?: Pick<RecollectError, "reason" | "message">;
}

/**
 * The time from which a run has work for a process, its lease aside: when it awaits approval, the end of that; else 0. Undefined:
 * it has ended.
 */
export function dueTimeOf({
  state,
  approvalExpireTime = 0,
}: Pick<CompactionRun, "state" | "approvalExpireTime">): number | undefined {
  if (hasEnded(state)) return undefined;
  return state === "AWAITING_APPROVAL" ? approvalExpireTime : 0;
}

/** When a run ended; undefined: it has not. */
export function endTimeOf({
  state,
  createTime,
  endTime = createTime,
}: Pick<CompactionRun, "state" | "createTime" | "endTime">): number | undefined {
  return hasEnded(state) ? endTime : undefined;
}
