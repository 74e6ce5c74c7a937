import type { Memory } from "../memory/memory.ts";
import type { CompactionPolicy } from "./run.ts";

/** What a plan depends on beside the policy of the run. Durations in milliseconds. */
export interface PlanPolicy extends CompactionPolicy {
  /** Memories of a lower retention score (0 to 1) are archived. */
  readonly archiveBelow: number;
  /** Most different texts in a group of duplicates. */
  readonly maxGroupSize: number;
  /** A newer value replaces an older one when it is so much newer, unless it says itself that something has changed. */
  readonly supersedeAfterMs: number;
  /** Tokens of a scope that summaries aim at. */
  readonly budgetTokens: number;
}

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** The defaults. */
export const DEFAULT_POLICY: PlanPolicy = {
  strategy: "HYBRID",
  level: "LIGHT",
  keepRecentMs: 24 * HOUR,
  keepImportantMs: 7 * DAY,
  minImportance: 0.3,
  archiveBelow: 0.2,
  maxAffectedFraction: 0.1,
  maxGroupSize: 8,
  supersedeAfterMs: 12 * HOUR,
  budgetTokens: 16_000,
};

/** From this importance on a memory is protected while it is young enough. */
export const PROTECTED_IMPORTANCE = 0.7;

/** So many memories one run may take from default reads, however small the scope. */
export const MIN_AFFECTED = 20;

/** The most memories that a run may take from default reads. */
export function maxAffected(scopeSize: number, { maxAffectedFraction }: CompactionPolicy): number {
  return Math.max(MIN_AFFECTED, Math.floor(scopeSize * maxAffectedFraction));
}

/** Why a memory is neither changed nor taken from default reads. */
export type Protection = "PINNED" | "RECENT" | "IMPORTANT";

/** When what a memory says was so: its event time, else when it was created. Milliseconds. */
export function timeOf({ eventTime, createTime }: Pick<Memory, "eventTime" | "createTime">): number {
  return eventTime ?? createTime;
}

/** Why the memory must stay as it is, or undefined. A time in the future is recent. */
export function protects(
  memory: Pick<Memory, "pinned" | "importance" | "eventTime" | "createTime">,
  policy: Pick<CompactionPolicy, "keepRecentMs" | "keepImportantMs">,
  now: number,
): Protection | undefined {
  if (memory.pinned) return "PINNED";
  const age = now - timeOf(memory);
  if (age < policy.keepRecentMs) return "RECENT";
  if (memory.importance >= PROTECTED_IMPORTANCE && age < policy.keepImportantMs) return "IMPORTANT";
  return undefined;
}

/** Whether the memory is one of the first to be archived. */
export function goesFirst(
  { importance }: Pick<Memory, "importance">,
  { minImportance }: Pick<CompactionPolicy, "minImportance">,
): boolean {
  return importance < minImportance;
}

/** Memories of different keys are never in one group. */
export function partitionKey(memory: Pick<Memory, "userId" | "agentId" | "kind">): string {
  return JSON.stringify([memory.userId, memory.agentId, memory.kind]);
}
