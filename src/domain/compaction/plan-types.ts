import type { Memory } from "../memory/memory.ts";
import type { GroupMember } from "./group.ts";
import type { StatementConflict } from "./guard.ts";
import type { MergeConflict, MergedFields } from "./merge.ts";
import type { ActionCount, CompactionAction, CompactionReason } from "./run.ts";
import type { UpdateKind } from "./update.ts";

/**
 * What happens to the members of a group. MERGE: they become SUPERSEDED by the survivor, which says all that they say.
 * SUPERSEDE: they become SUPERSEDED by a newer memory, which does not change. ARCHIVE: they become ARCHIVED. SUMMARIZE: they
 * become ARCHIVED, and there is a new memory of kind SUMMARY.
 */
export type PlannedAction = Exclude<CompactionAction, "KEEP">;

export interface PlannedGroup {
  readonly action: PlannedAction;
  readonly reason: CompactionReason;
  /** A memory with another etag drops out. They leave default reads. In the order of their creation, but for ARCHIVE and SUMMARIZE. */
  readonly members: readonly GroupMember[];
  /** MERGE and SUPERSEDE: what stays. `changes`, of MERGE: the fields that it gets; absent when it has all already. */
  readonly survivor?: GroupMember & { readonly changes?: MergedFields };
  /** SUMMARIZE: the new memory. */
  readonly summary?: PlannedSummary;
  /** The least similarity of a member and the survivor, 0 to 1; 1 for equal texts and where nothing is compared. */
  readonly similarity: number;
  /** SUPERSEDE: what is newer, then what the guard found between the two. MERGE: CONTAINED when the survivor says more. */
  readonly findings: readonly (StatementConflict | `NEWER_${UpdateKind}` | "CONTAINED")[];
  /** Tokens of the texts of members and survivor, and of what is left of them. */
  readonly tokensBefore: number;
  readonly tokensAfter: number;
}

/** A memory that a plan creates; its id, create time and etag follow when it is applied. */
export type PlannedSummary = Pick<
  Memory,
  "text" | "kind" | "userId" | "agentId" | "sessionId" | "tags" | "importance" | "sourceIds"
> & { readonly eventTime?: number };

/** A pair that is alike and stays apart. */
export interface Refusal {
  readonly one: string;
  readonly other: string;
  readonly similarity: number;
  readonly reasons: readonly RefusalReason[];
}

/**
 * UNCALIBRATED: the embedding model has no thresholds. AMBIGUOUS: one of them could also be merged with a third memory, with
 * which the other could not. PROTECTED: both must stay as they are. NOT_NEWER: another value, and not enough newer.
 */
export type RefusalReason =
  | StatementConflict
  | MergeConflict
  | "UNCALIBRATED"
  | "AMBIGUOUS"
  | "PROTECTED"
  | "NOT_NEWER";

export interface CompactionPlan {
  /** In the order in which they are applied. A memory is a member of one group at most. */
  readonly groups: readonly PlannedGroup[];
  /** Pairs that are alike and stay apart, for groups of action KEEP and for metrics; the first 10,000. */
  readonly refusals: readonly Refusal[];
  /** Memories that were examined. */
  readonly examined: number;
  /** Memories that leave default reads. */
  readonly affected: number;
  /** Memories that are created. */
  readonly created: number;
  /** Memories that would leave default reads as well, but for the limit of a run. */
  readonly deferred: number;
  readonly counts: readonly ActionCount[];
  /** Tokens of all groups. */
  readonly tokensBefore: number;
  readonly tokensAfter: number;
}
