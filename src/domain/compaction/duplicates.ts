import type { Memory } from "../memory/memory.ts";
import type { Comparisons } from "./comparisons.ts";
import type { StatementComparison } from "./guard.ts";
import { completeLinkGroups, type Link } from "./linkage.ts";
import { isUnchanged, mergeConflicts, mergeInto } from "./merge.ts";
import { type Node, newestOf, nodesOf } from "./nodes.ts";
import type { PlanInput } from "./plan.ts";
import type { PlannedGroup, Refusal, RefusalReason } from "./plan-types.ts";
import { partitionKey, protects } from "./policy.ts";
import type { CompactionReason } from "./run.ts";
import { type NodeMerge, planSupersessions, type Update, updateOf } from "./supersessions.ts";

/** What a pair of nodes is: a link of duplicates, an update, or neither. */
interface Edges {
  readonly links: readonly NodeLink[];
  readonly updates: readonly Update[];
}

interface NodeLink extends Link {
  readonly comparison: StatementComparison;
}

/** Which refusals of a run are told apart. */
type Refusals = Map<string, Refusal>;

/**
 * Groups of duplicates and supersessions among active memories, for one pass. A memory of kind MESSAGE is in none. See
 * {@link planCompaction} for what holds of them.
 */
export function* findDuplicates(
  active: readonly Memory[],
  input: PlanInput,
  comparisons: Comparisons,
  refusals: Refusals,
): Generator<void, readonly PlannedGroup[]> {
  const found: PlannedGroup[] = [];
  const candidates = active.filter(({ kind }) => kind !== "MESSAGE");
  const partitions = Map.groupBy(candidates, partitionKey);
  for (const memories of partitions.values()) {
    const nodes = yield* nodesOf(memories, comparisons);
    const { links, updates } = yield* edgesOf(nodes, input, comparisons, refusals);
    const merges = planMerges(nodes, links, updates, input, refusals);
    found.push(...merges.map(({ planned }) => planned));
    if (input.policy.level !== "LIGHT") found.push(...planSupersessions(nodes, updates, merges, input));
  }
  return found;
}

/** Pairs that are compared in some milliseconds: 0.4 ms each of short texts. */
const PAIRS_OF_STEP = 16;

/** Compares each pair of nodes that the vector index or the survivor of a merge gives. */
function* edgesOf(
  nodes: readonly Node[],
  input: PlanInput,
  comparisons: Comparisons,
  refusals: Refusals,
): Generator<void, Edges> {
  const [links, updates]: [NodeLink[], Update[]] = [[], []];
  const { thresholds, policy } = input;
  for (const [step, { one, other, similarity }] of nodePairs(nodes, input).entries()) {
    if (step % PAIRS_OF_STEP === 0) yield;
    const [left, right] = [nodes[one], nodes[other]];
    if (left === undefined || right === undefined) continue;
    const refuse = (reasons: readonly RefusalReason[]): void =>
      addRefusal(refusals, left, right, similarity, reasons);
    if (thresholds === undefined) {
      refuse(["UNCALIBRATED"]);
      continue;
    }
    const comparison = comparisons.compare(left.text, right.text);
    const update =
      policy.level === "LIGHT" || similarity < thresholds.supersede
        ? undefined
        : updateOf({ one, other, similarity }, nodes, policy, comparisons, comparison);
    if (update !== undefined) {
      updates.push(update);
      if (!update.isNewer) refuse(["NOT_NEWER", ...comparison.conflicts]);
      continue;
    }
    const least = comparison.isCertain ? thresholds.certain : thresholds.merge;
    if (similarity < least) continue;
    const conflicts = [
      ...comparison.conflicts,
      ...mergeConflicts(left.first, right.first, left.happened || right.happened),
    ];
    if (conflicts.length > 0) refuse(conflicts);
    else if (comparison.isCertain || policy.level !== "LIGHT")
      links.push({ one, other, similarity, comparison });
  }
  return { links, updates };
}

/** The greatest similarity of two nodes by their members. */
function nodePairs(nodes: readonly Node[], { pairs }: PlanInput): Link[] {
  const at = new Map(nodes.flatMap((node, index) => node.members.map(({ id }) => [id, index] as const)));
  const found = new Map<string, Link>();
  for (const pair of pairs) {
    const [a, b] = [at.get(pair.one), at.get(pair.other)];
    if (a === undefined || b === undefined || a === b) continue;
    const [one, other] = a < b ? [a, b] : [b, a];
    const key = `${one} ${other}`;
    const known = found.get(key);
    if (known === undefined || known.similarity < pair.similarity)
      found.set(key, { one, other, similarity: pair.similarity });
  }
  return [...found.values()].sort((a, b) => a.one - b.one || a.other - b.other);
}

/** A plan names the first ones. */
const MAX_REFUSALS = 10_000;

function addRefusal(
  refusals: Refusals,
  left: Node,
  right: Node,
  similarity: number,
  reasons: readonly RefusalReason[],
): void {
  const [one, other] = [left.first.id, right.first.id];
  if (refusals.size >= MAX_REFUSALS) return;
  refusals.set(`${one} ${other}`, { one, other, similarity, reasons });
}

/** Nodes of several members, and groups of linked nodes that can become one memory for good. */
function planMerges(
  nodes: readonly Node[],
  links: readonly NodeLink[],
  updates: readonly Update[],
  input: PlanInput,
  refusals: Refusals,
): NodeMerge[] {
  const grouped = completeLinkGroups(links, input.policy.maxGroupSize);
  const inGroup = new Set(grouped.flat());
  const single = [...nodes.keys()].filter((at) => !inGroup.has(at) && (nodes[at]?.members.length ?? 0) > 1);
  const linksOf = Map.groupBy(
    links.flatMap((link) => [
      { ...link, from: link.one, to: link.other },
      { ...link, from: link.other, to: link.one },
    ]),
    ({ from }) => from,
  );
  const found: NodeMerge[] = [];
  for (const group of [...grouped, ...single.map((at) => [at])]) {
    const isApart = (at: number): boolean => (linksOf.get(at) ?? []).every(({ to }) => group.includes(to));
    const survivors = survivorNodes(group, nodes, linksOf).filter((at) => group.length === 1 || isApart(at));
    const survivor = survivors[0];
    const isStale = survivor !== undefined && wouldBeOutdated(survivor, group, nodes, updates);
    const merged =
      survivor === undefined || isStale
        ? undefined
        : mergeGroup(group, survivor, nodes, { input, links, comparisonsOf: linksOf.get(survivor) ?? [] });
    if (merged !== undefined) found.push({ nodes: group, planned: merged });
    else refuseGroup(group, nodes, refusals);
    // Equal texts of a node become one all the same.
    if (merged === undefined && group.length > 1) {
      for (const at of group) {
        const alone = mergeGroup([at], at, nodes, { input, links, comparisonsOf: [] });
        if (alone !== undefined) found.push({ nodes: [at], planned: alone });
      }
    }
  }
  return found;
}

function refuseGroup(group: readonly number[], nodes: readonly Node[], refusals: Refusals): void {
  for (const [place, at] of group.entries()) {
    for (const next of group.slice(place + 1)) {
      const [left, right] = [nodes[at], nodes[next]];
      if (left !== undefined && right !== undefined) addRefusal(refusals, left, right, 1, ["AMBIGUOUS"]);
    }
  }
}

type LinksOf = ReadonlyMap<number, readonly (NodeLink & { readonly from: number; readonly to: number })[]>;

/** The nodes that say all that the group says; the newest first, then the longest text. */
function survivorNodes(group: readonly number[], nodes: readonly Node[], linksOf: LinksOf): number[] {
  const saysAll = (at: number): boolean =>
    group.every((other) => {
      if (other === at) return true;
      const link = (linksOf.get(at) ?? []).find(({ to }) => to === other);
      const { relation } = link?.comparison ?? { relation: "DIFFERENT" };
      return (
        relation === "SAME" ||
        relation === "EQUAL" ||
        relation === (link?.one === at ? "CONTAINS" : "CONTAINED")
      );
    });
  const of = (at: number): Node | undefined => nodes[at];
  return group
    .filter(saysAll)
    .sort(
      (a, b) =>
        newestOf(of(b)) - newestOf(of(a)) || (of(b)?.text.length ?? 0) - (of(a)?.text.length ?? 0) || a - b,
    );
}

/** Another value came between the survivor and a newer member that confirms it: what stays would look outdated. */
function wouldBeOutdated(
  survivor: number,
  group: readonly number[],
  nodes: readonly Node[],
  updates: readonly Update[],
): boolean {
  const [own, newest] = [newestOf(nodes[survivor]), Math.max(...group.map((at) => newestOf(nodes[at])))];
  return own < newest && updates.some(({ older, newer }) => group.includes(older) || group.includes(newer));
}

interface MergeContext {
  readonly input: PlanInput;
  readonly links: readonly NodeLink[];
  readonly comparisonsOf: readonly (NodeLink & { readonly to: number })[];
}

/** Undefined when nothing may leave, or the survivor may not change and would have to. */
function mergeGroup(
  group: readonly number[],
  survivorNode: number,
  nodes: readonly Node[],
  { input, comparisonsOf }: MergeContext,
): PlannedGroup | undefined {
  const { policy, now, countTokens } = input;
  const isProtected = (memory: Memory): boolean => protects(memory, policy, now) !== undefined;
  const candidates = nodes[survivorNode]?.members ?? [];
  // What stays anyway, else the newest.
  const survivor = candidates.find(isProtected) ?? candidates[0];
  if (survivor === undefined) return undefined;
  const all = group.flatMap((at) => nodes[at]?.members ?? []);
  const members = all.filter((memory) => memory !== survivor && !isProtected(memory));
  if (members.length === 0) return undefined;
  const fields = mergeInto(survivor, members);
  if (typeof fields === "string") return undefined;
  const unchanged = isUnchanged(survivor, fields);
  if (isProtected(survivor) && !unchanged) return undefined;
  const similarity = Math.min(
    1,
    ...comparisonsOf.filter(({ to }) => group.includes(to)).map((link) => link.similarity),
  );
  const tokens = (memory: Memory): number => countTokens(memory.text);
  return {
    action: "MERGE",
    reason: reasonOf(group, comparisonsOf),
    members: members.map(({ id, etag }) => ({ id, etag })),
    survivor: {
      id: survivor.id,
      etag: survivor.etag,
      ...(isProtected(survivor) ? {} : { changes: fields }),
    },
    similarity,
    findings: comparisonsOf.some(({ to, comparison }) => group.includes(to) && isContaining(comparison))
      ? ["CONTAINED"]
      : [],
    tokensBefore: [survivor, ...members].reduce((sum, memory) => sum + tokens(memory), 0),
    tokensAfter: tokens(survivor),
  };
}

function isContaining({ relation }: StatementComparison): boolean {
  return relation === "CONTAINS" || relation === "CONTAINED";
}

function reasonOf(
  group: readonly number[],
  links: readonly (NodeLink & { readonly to: number })[],
): CompactionReason {
  const within = links.filter(({ to }) => group.includes(to)).map(({ comparison }) => comparison);
  if (within.length === 0) return "EQUAL_TEXT";
  return within.every(({ isCertain }) => isCertain) ? "SAME_WORDS" : "SAME_MEANING";
}
