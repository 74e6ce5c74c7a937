import type { CompactionGroup } from "../../domain/compaction/group.ts";
import type { CompactionPolicy } from "../../domain/compaction/run.ts";
import type { Memory, StoredMemory } from "../../domain/memory/memory.ts";
import type { EmbedderIdentity } from "../embedding/embedder.ts";

/** Two memories, by their positions in a list, and the cosine similarity of their vectors. */
export interface NearPair {
  readonly one: number;
  readonly other: number;
  readonly similarity: number;
}

/** Some of the memories of a user, with their vectors, of unit length; undefined: none, or not to be compared. */
export interface PlannedPage {
  readonly memories: readonly StoredMemory[];
  readonly vectors: readonly (Float32Array | undefined)[];
}

/** What a plan for one user depends on, beside the user's memories. Equal input gives an equal plan. */
export interface PlanRules {
  readonly policy: CompactionPolicy;
  /** The model of the vectors; undefined: vector search is switched off. */
  readonly model: EmbedderIdentity | undefined;
  readonly now: number;
  /** About how many memories there are: how much main memory planning may take. */
  readonly expected: number;
}

/** Thrown when planning needs more main memory than the expected number of memories allows. */
export class PlannerOutOfMemory extends Error {
  override readonly name = "PlannerOutOfMemory";
}

/** A group of a plan without its number; its summary has no id yet. */
export type PlannedGroup = Omit<CompactionGroup, "number" | "state" | "summary" | "journal"> & {
  readonly summary?: { readonly text: string };
};

export interface PlannedUser {
  /** How many memories there are. */
  readonly examined: number;
  /** Memories that would leave default reads too, but for the limit of a run. */
  readonly deferred: number;
  readonly groups: readonly PlannedGroup[];
  /** Tokens (o200k) of all memories. */
  readonly tokens: number;
}

/** Why the answer of a language model is not used. */
export type SummaryRefusal = "SCHEMA" | "EMPTY" | "TOO_LONG" | "MISSING_FACT" | "INVENTED_FACT" | "UNRELATED";

export type SummaryVerdict =
  | { readonly text: string; readonly tokens: number }
  | { readonly refusal: SummaryRefusal };

/**
 * Decides with the pure policy of src/domain/compaction, beside the event loop: it may take seconds, in which calls are served.
 * One question at a time.
 */
export interface Planner {
  /**
   * Whether vectors of this model are compared at all under this policy: not when its thresholds are unknown, so that only equal
   * texts are merged.
   */
  compares(model: EmbedderIdentity, policy: CompactionPolicy): boolean;
  /**
   * Plans for one user, of all of whose ACTIVE memories `pages` consists, each once, in the same order each time. Finds the
   * nearest of each memory by the vectors among those of the same agent and kind. Rejects with the signal's reason, as `pages`
   * does, and with PlannerOutOfMemory.
   */
  plan(pages: AsyncIterable<PlannedPage>, rules: PlanRules, signal: AbortSignal): Promise<PlannedUser>;
  /** Whether the answer of a language model is a summary of these memories; see validateSummary. */
  checkSummary(answer: string, sources: readonly Memory[], signal: AbortSignal): Promise<SummaryVerdict>;
  /** An extract of these memories (one at least), as long as they are if need be. */
  extract(sources: readonly Memory[], signal: AbortSignal): Promise<string>;
}
