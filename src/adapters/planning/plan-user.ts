import type { Lexicon } from "../../domain/cache/lexicon.ts";
import { type CandidatePair, planCompaction } from "../../domain/compaction/plan.ts";
import type { PlannedGroup as DecidedGroup, Refusal } from "../../domain/compaction/plan-types.ts";
import { DEFAULT_POLICY, partitionKey } from "../../domain/compaction/policy.ts";
import { duplicateThresholds, refineThresholds } from "../../domain/compaction/thresholds.ts";
import { recordOf, type StoredMemory } from "../../domain/memory/memory.ts";
import { retentionScore } from "../../domain/memory/retention.ts";
import type { PlannedGroup, PlannedPage, PlannedUser, PlanRules } from "../../ports/compaction/planner.ts";
import { CoarseVectors } from "./near-vectors.ts";

/** What the policy needs beside its input. */
export interface PlanningTools {
  readonly lexicon: Lexicon;
  /** o200k. */
  readonly countTokens: (text: string) => number;
}

/** The most memories that one step of a run changes. */
const MAX_MEMBERS = 100;
/** Pairs that are alike and stay apart, the most similar ones, that a plan lists for a user. */
const MAX_KEPT = 1000;

/** The memories of one user, with the vectors of those that are compared. */
export class UserMemories {
  readonly memories: StoredMemory[] = [];
  /** By agent and kind: nothing else is ever compared or merged. */
  readonly #partitions = new Map<string, CoarseVectors>();

  add({ memories, vectors }: PlannedPage): void {
    for (const [at, memory] of memories.entries()) {
      const vector = vectors[at];
      if (vector !== undefined) this.#partitionOf(memory).add(this.memories.length, vector);
      this.memories.push(memory);
    }
  }

  /** See CoarseVectors; of all partitions. */
  near(least: number): { readonly pairs: readonly CandidatePair[]; readonly nearest: readonly number[] } {
    const pairs: CandidatePair[] = [];
    const nearest: number[] = [];
    for (const partition of this.#partitions.values()) {
      const found = partition.near(least);
      for (const { one, other, similarity } of found.pairs) {
        const [left, right] = [this.memories[one], this.memories[other]];
        if (left !== undefined && right !== undefined)
          pairs.push({ one: left.id, other: right.id, similarity });
      }
      for (const similarity of found.nearest) nearest.push(similarity);
    }
    return { pairs, nearest };
  }

  #partitionOf(memory: StoredMemory): CoarseVectors {
    const key = partitionKey(memory);
    const partition = this.#partitions.get(key) ?? new CoarseVectors();
    this.#partitions.set(key, partition);
    return partition;
  }
}

/** The least similarity at which two memories are compared; undefined: only equal texts are merged. */
export function leastSimilarity(
  model: PlanRules["model"],
  { level, strategy }: PlanRules["policy"],
): number | undefined {
  const thresholds = duplicateThresholds(model);
  if (thresholds === undefined || strategy === "DECAY") return undefined;
  if (level === "LIGHT") return thresholds.certain;
  const summarizes = level === "AGGRESSIVE" && strategy !== "DEDUP";
  return summarizes ? Math.min(thresholds.topic, thresholds.supersede) : thresholds.supersede;
}

/** Plans for one user with the policy of src/domain/compaction. Synchronous: seconds for many memories. */
export function planUser(
  user: UserMemories,
  { policy, model, now }: PlanRules,
  { lexicon, countTokens }: PlanningTools,
): PlannedUser {
  const { memories } = user;
  const tokens = new Map<string, number>();
  const count = (text: string): number => {
    const known = tokens.get(text);
    if (known !== undefined) return known;
    const counted = countTokens(text);
    tokens.set(text, counted);
    return counted;
  };
  const thresholds = duplicateThresholds(model);
  const least = leastSimilarity(model, policy);
  const { pairs, nearest } = least === undefined ? { pairs: [], nearest: [] } : user.near(least);
  const stored = new Map(memories.map((memory) => [memory.id, memory]));
  const plan = planCompaction({
    memories: memories.map(recordOf),
    pairs,
    policy: { ...DEFAULT_POLICY, ...policy },
    thresholds: thresholds && refineThresholds(thresholds, nearest),
    retention: (memory) => retentionScore(stored.get(memory.id) ?? memory, now),
    countTokens: count,
    lexicon,
    now,
  });
  const groups = plan.groups.flatMap(inParts).map(groupOf);
  const kept = plan.refusals
    .toSorted((a, b) => b.similarity - a.similarity)
    .slice(0, MAX_KEPT)
    .flatMap((refusal) => keptOf(refusal, stored, count));
  return {
    examined: memories.length,
    deferred: plan.deferred,
    groups: [...groups, ...kept],
    tokens: memories.reduce((sum, { text }) => sum + count(text), 0),
  };
}

/**
 * A group whose survivor does not change, in parts that are applied in one step each. Merges are not divided: the first part
 * would change the survivor of the next one.
 */
function inParts(group: DecidedGroup): DecidedGroup[] {
  const { action, members, tokensBefore, tokensAfter } = group;
  const count = Math.ceil(members.length / MAX_MEMBERS);
  if (count < 2 || (action !== "SUPERSEDE" && action !== "ARCHIVE")) return [group];
  return Array.from({ length: count }, (_, part) => ({
    ...group,
    members: members.slice(part * MAX_MEMBERS, (part + 1) * MAX_MEMBERS),
    // What is left stands in the first part; the sums over all parts are those of the group.
    tokensBefore: partOf(tokensBefore - tokensAfter, count, part) + (part === 0 ? tokensAfter : 0),
    tokensAfter: part === 0 ? tokensAfter : 0,
  }));
}

/** Whole numbers that together are `total`. */
function partOf(total: number, count: number, part: number): number {
  return Math.floor((total * (part + 1)) / count) - Math.floor((total * part) / count);
}

function groupOf({ survivor, summary, similarity, ...group }: DecidedGroup): PlannedGroup {
  const isCompared = group.action === "MERGE" || group.action === "SUPERSEDE";
  return {
    ...group,
    ...(isCompared ? { similarity } : {}),
    ...(survivor === undefined ? {} : { survivor: { id: survivor.id, etag: survivor.etag } }),
    ...(summary === undefined ? {} : { summary: { text: summary.text } }),
  };
}

function keptOf(
  { one, other, similarity, reasons }: Refusal,
  stored: ReadonlyMap<string, StoredMemory>,
  count: (text: string) => number,
): PlannedGroup[] {
  const memories = [one, other].flatMap((id) => stored.get(id) ?? []);
  const tokens = memories.reduce((sum, { text }) => sum + count(text), 0);
  const reason = reasons.includes("UNCALIBRATED")
    ? "UNCALIBRATED"
    : reasons.includes("PROTECTED")
      ? "PROTECTED"
      : "GUARD";
  return [
    {
      action: "KEEP",
      reason,
      members: memories.map(({ id, etag }) => ({ id, etag })),
      similarity,
      findings: reasons.filter((found) => found !== reason),
      tokensBefore: tokens,
      tokensAfter: tokens,
    },
  ];
}
