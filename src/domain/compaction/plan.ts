import type { Lexicon } from "../cache/lexicon.ts";
import { isExpired, type Memory } from "../memory/memory.ts";
import { Comparisons } from "./comparisons.ts";
import { findDuplicates } from "./duplicates.ts";
import { applyToActive } from "./outcome.ts";
import { planSummaries } from "./plan-summaries.ts";
import type { CompactionPlan, PlannedGroup, Refusal } from "./plan-types.ts";
import { goesFirst, maxAffected, type PlanPolicy, protects, timeOf } from "./policy.ts";
import type { DuplicateThresholds } from "./thresholds.ts";

/** Two memories that may be duplicates, with their cosine similarity. */
export interface CandidatePair {
  readonly one: string;
  readonly other: string;
  readonly similarity: number;
}

/** All that a plan depends on. Equal input gives an equal plan. */
export interface PlanInput {
  /** The ACTIVE memories of the scope, in any order; other states are ignored. */
  readonly memories: readonly Memory[];
  /**
   * The nearest neighbours of each memory among those of its user, agent and kind, from the vector index, from
   * `thresholds.supersede` on ({@link DuplicateThresholds}); for summaries from `topic` on. Equal texts need no pair.
   */
  readonly pairs: readonly CandidatePair[];
  readonly policy: PlanPolicy;
  /** Undefined: the model is not calibrated, and only equal texts are merged. */
  readonly thresholds: DuplicateThresholds | undefined;
  /** The retention score of a memory, 0 to 1. */
  readonly retention: (memory: Memory) => number;
  readonly countTokens: (text: string) => number;
  readonly lexicon: Lexicon;
  readonly now: number;
}

// Each pass needs a group of the one before; real stores need two.
const MAX_PASSES = 16;

/**
 * The plan of a run: what is merged, superseded, archived and summarised, and why. Nothing in it touches a protected memory,
 * mixes users, agents or kinds, or takes more from default reads than the policy allows: what is beyond is counted as
 * deferred. The plan for the result of an applied plan is empty, unless something was deferred.
 */
export function planCompaction(input: PlanInput): CompactionPlan {
  const steps = planInSteps(input);
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
  }
}

/** The same with a yield after each few milliseconds of work, so that a server can answer others between two steps. */
export function* planInSteps(input: PlanInput): Generator<void, CompactionPlan> {
  const { policy, now } = input;
  const active = input.memories
    // Expired ones cannot be read any more, and are deleted by themselves.
    .filter((memory) => memory.state === "ACTIVE" && !isExpired(memory, now))
    .sort((a, b) => a.createTime - b.createTime || (a.id < b.id ? -1 : 1));
  const groups: PlannedGroup[] = [];
  let rest = active;
  const comparisons = new Comparisons(input.lexicon);
  const refusals = new Map<string, Refusal>();
  for (let pass = 0; pass < MAX_PASSES; pass++) {
    const found = yield* planPass(rest, input, comparisons, refusals);
    if (found.length === 0) break;
    for (const group of found) addGroup(groups, group, active, input);
    rest = applyToActive(rest, found);
  }
  const scopeSize = active.length;
  return withinLimit(groups, refusals, maxAffected(scopeSize, policy), scopeSize);
}

/** The groups of one kind of action; the next pass sees their result. */
function* planPass(
  rest: readonly Memory[],
  input: PlanInput,
  comparisons: Comparisons,
  refusals: Map<string, Refusal>,
): Generator<void, readonly PlannedGroup[]> {
  const { strategy, level } = input.policy;
  if (strategy === "DEDUP" || strategy === "HYBRID") {
    const found = yield* findDuplicates(rest, input, comparisons, refusals);
    if (found.length > 0) return found;
  }
  if (level !== "LIGHT" && (strategy === "DECAY" || strategy === "HYBRID")) {
    const found = planArchive(rest, input);
    if (found.length > 0) return found;
  }
  if (level !== "AGGRESSIVE" || (strategy !== "SUMMARIZE" && strategy !== "HYBRID")) return [];
  return planSummaries(rest, input);
}

/** Those of little importance first, then by retention score; each in a group of its own, so that each may drop out. */
function planArchive(rest: readonly Memory[], input: PlanInput): PlannedGroup[] {
  const { policy, now, retention, countTokens } = input;
  return rest
    .filter((memory) => protects(memory, policy, now) === undefined)
    .map((memory) => ({ memory, score: retention(memory), first: goesFirst(memory, policy) }))
    .filter(({ score, first }) => first || score < policy.archiveBelow)
    .sort(
      (a, b) => Number(b.first) - Number(a.first) || a.score - b.score || timeOf(a.memory) - timeOf(b.memory),
    )
    .map(({ memory, first }) => ({
      action: "ARCHIVE",
      reason: first ? "LOW_IMPORTANCE" : "LOW_RETENTION",
      members: [{ id: memory.id, etag: memory.etag }],
      similarity: 1,
      findings: [],
      tokensBefore: countTokens(memory.text),
      tokensAfter: 0,
    }));
}

/**
 * Adds a group of a later pass. When it takes the survivor of an earlier merge, it takes what was merged into it as well: each
 * memory is a member of one group at most.
 */
function addGroup(
  groups: PlannedGroup[],
  added: PlannedGroup,
  active: readonly Memory[],
  { countTokens }: PlanInput,
): void {
  const removed = new Set(added.members.map(({ id }) => id));
  const absorbed = groups.filter(
    ({ action, survivor }) => action === "MERGE" && survivor !== undefined && removed.has(survivor.id),
  );
  if (absorbed.length === 0) {
    groups.push(added);
    return;
  }
  const kept = groups.filter((group) => !absorbed.includes(group));
  const etags = new Map(active.map(({ id, etag }) => [id, etag]));
  const ids = [...removed, ...absorbed.flatMap(({ members }) => members.map(({ id }) => id))];
  const texts = new Map(active.map(({ id, text }) => [id, text]));
  groups.splice(0, groups.length, ...kept, {
    ...added,
    members: ids.map((id) => ({ id, etag: etags.get(id) ?? "" })),
    tokensBefore:
      ids.reduce((sum, id) => sum + countTokens(texts.get(id) ?? ""), 0) +
      (added.survivor === undefined ? 0 : countTokens(texts.get(added.survivor.id) ?? "")),
  });
}

const PRIORITY: Readonly<Record<PlannedGroup["action"], number>> = {
  MERGE: 1,
  SUPERSEDE: 2,
  SUMMARIZE: 3,
  ARCHIVE: 4,
};

function withinLimit(
  groups: readonly PlannedGroup[],
  refusals: ReadonlyMap<string, Refusal>,
  limit: number,
  scopeSize: number,
): CompactionPlan {
  const ordered = groups
    .map((group, at) => ({ group, at }))
    .sort((a, b) => PRIORITY[a.group.action] - PRIORITY[b.group.action] || a.at - b.at);
  const planned: PlannedGroup[] = [];
  let affected = 0;
  let deferred = 0;
  for (const { group } of ordered) {
    const size = group.members.length;
    const room = limit - affected;
    // Equal texts may go in part; anything else is one decision.
    const part = size > room && room > 0 && group.reason === "EQUAL_TEXT" ? room : 0;
    if (size > room && part === 0) deferred += size;
    else {
      planned.push(part === 0 ? group : { ...group, members: group.members.slice(0, part) });
      affected += part === 0 ? size : part;
      deferred += part === 0 ? 0 : size - part;
    }
  }
  return {
    groups: planned,
    refusals: [...refusals.values()],
    examined: scopeSize,
    affected,
    created: planned.filter(({ action }) => action === "SUMMARIZE").length,
    deferred,
    counts: countGroups(planned),
    tokensBefore: planned.reduce((sum, { tokensBefore }) => sum + tokensBefore, 0),
    tokensAfter: planned.reduce((sum, { tokensAfter }) => sum + tokensAfter, 0),
  };
}

/** Memories by action and reason, in the order in which they first occur. */
function countGroups(groups: readonly PlannedGroup[]): CompactionPlan["counts"] {
  const counts = new Map<string, CompactionPlan["counts"][number]>();
  for (const { action, reason, members } of groups) {
    const key = `${action} ${reason}`;
    const before = counts.get(key) ?? { action, reason, groups: 0, memories: 0 };
    counts.set(key, { ...before, groups: before.groups + 1, memories: before.memories + members.length });
  }
  return [...counts.values()];
}
