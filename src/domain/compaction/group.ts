import type { Memory } from "../memory/memory.ts";
import type { CompactionAction, CompactionReason } from "./run.ts";

/** A memory as it was planned. */
export interface GroupMember {
  readonly id: string;
  readonly etag: string;
}

export type GroupState = "PLANNED" | "APPLIED" | "DROPPED" | "UNDONE";

/**
 * One group of a plan. It holds no text but that of a summary to be created: whoever may see texts reads the memories.
 */
export interface CompactionGroup {
  /** Its number in the plan, from 1. */
  readonly number: number;
  readonly action: CompactionAction;
  readonly reason: CompactionReason;
  /** Those that leave default reads; with KEEP all of the group. */
  readonly members: readonly GroupMember[];
  /** The memory that stays in their place and exists: MERGE, SUPERSEDE. */
  readonly survivor?: GroupMember;
  /**
   * SUMMARIZE: the id and the text of the memory that is created. Once the group is applied, or nothing will come of it, the
   * text is empty, so that erasing a source or the summary leaves nothing here; `etag` is that of the created memory.
   */
  readonly summary?: { readonly id: string; readonly text: string; readonly etag?: string };
  /** The lowest cosine similarity between two of the group, -1..1. */
  readonly similarity?: number;
  /** What the guard found. */
  readonly findings: readonly string[];
  /** Tokens (o200k) of its active memories. */
  readonly tokensBefore: number;
  readonly tokensAfter: number;
  readonly state: GroupState;
  /** APPLIED: what undo needs, one for each memory that was changed and existed before. */
  readonly journal?: readonly JournalEntry[];
}

/**
 * What a memory was before a group was applied: the fields that the run has changed, without its text, so that erasing the
 * memory leaves nothing here. The other fields are those of the stored memory, as long as it has `etagAfter`.
 */
export interface JournalEntry {
  readonly id: string;
  readonly etagAfter: string;
  readonly before: Pick<Memory, "etag" | "updateTime" | "state" | "supersededBy"> &
    Partial<Pick<Memory, "tags" | "importance" | "sourceIds" | "expireTime">>;
  /** UNDONE by itself. */
  readonly undone?: boolean;
}
