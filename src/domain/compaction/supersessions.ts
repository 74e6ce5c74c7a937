import { statedTime } from "./clause.ts";
import type { Comparisons } from "./comparisons.ts";
import type { StatementComparison, StatementConflict } from "./guard.ts";
import type { Link } from "./linkage.ts";
import { type Node, newestOf } from "./nodes.ts";
import type { PlanInput } from "./plan.ts";
import type { PlannedGroup } from "./plan-types.ts";
import { type PlanPolicy, protects } from "./policy.ts";
import type { UpdateKind } from "./update.ts";

/** A node whose value a newer one replaces. */
export interface Update {
  readonly older: number;
  readonly newer: number;
  readonly similarity: number;
  readonly kind: UpdateKind;
  /** The newer one is newer by as much as the policy wants, or says itself that something has changed. */
  readonly isNewer: boolean;
  /** Both say since when they hold, so that their own times do not decide. */
  readonly isStated: boolean;
  readonly findings: readonly StatementConflict[];
}

/** The update between two nodes of other texts, if there is one; of one speaker about one time of validity. */
export function updateOf(
  { one, other, similarity }: Link,
  nodes: readonly Node[],
  policy: PlanPolicy,
  comparisons: Comparisons,
  { relation, conflicts }: StatementComparison,
): Update | undefined {
  if (relation !== "DIFFERENT") return undefined;
  const [left, right] = [nodes[one], nodes[other]];
  if (left === undefined || right === undefined) return undefined;
  const { author, role, validFrom, validUntil } = left.first;
  const of = right.first;
  if (author !== of.author || role !== of.role || validFrom !== of.validFrom || validUntil !== of.validUntil)
    return undefined;
  const [stated, statedOf] = [statedTime(left.text), statedTime(right.text)];
  const isStated = stated !== undefined && statedOf !== undefined && stated !== statedOf;
  const isInOrder = isStated ? stated < statedOf : newestOf(left) <= newestOf(right);
  const [older, newer] = isInOrder ? [one, other] : [other, one];
  const [before, after] = isInOrder ? [left, right] : [right, left];
  const found = comparisons.update(before.text, after.text);
  if (found === undefined) return undefined;
  const gap = newestOf(after) - newestOf(before);
  const isNewer = isStated ? gap >= 0 : gap > 0 && (found.isMarked || gap >= policy.supersedeAfterMs);
  return { older, newer, similarity, kind: found.kind, isNewer, isStated, findings: conflicts };
}

/** Nodes that become one memory. */
export interface NodeMerge {
  readonly nodes: readonly number[];
  readonly planned: PlannedGroup;
}

/**
 * Each node that something newer replaces leaves default reads; the newest that does so stands for it. What was merged into
 * one goes as one, when the newer one is newer than all of it.
 */
export function planSupersessions(
  nodes: readonly Node[],
  updates: readonly Update[],
  merges: readonly NodeMerge[],
  { policy, now, countTokens }: PlanInput,
): readonly PlannedGroup[] {
  const found: PlannedGroup[] = [];
  const merged = new Set(merges.flatMap(({ planned }) => planned.members.map(({ id }) => id)));
  const mergeOf = new Map(merges.flatMap((merge) => merge.nodes.map((at) => [at, merge.nodes] as const)));
  for (const [at, node] of nodes.entries()) {
    const together = mergeOf.get(at) ?? [at];
    const newest = Math.max(...together.map((own) => newestOf(nodes[own])));
    const [update] = updates
      .filter(
        ({ older, newer, isNewer, isStated }) =>
          isNewer && together.includes(older) && (isStated || newestOf(nodes[newer]) > newest),
      )
      .sort((a, b) => newestOf(nodes[b.newer]) - newestOf(nodes[a.newer]) || a.newer - b.newer);
    const members = node.members.filter(
      (memory) => !merged.has(memory.id) && protects(memory, policy, now) === undefined,
    );
    // One that is merged in this pass is replaced by what it was merged into, in the next pass.
    const survivor = nodes[update?.newer ?? -1]?.members.find(({ id }) => !merged.has(id));
    if (update === undefined || survivor === undefined || members.length === 0) continue;
    const before = members.reduce((sum, { text }) => sum + countTokens(text), 0);
    const after = countTokens(survivor.text);
    found.push({
      action: "SUPERSEDE",
      reason: "NEWER_VALUE",
      members: members.map(({ id, etag }) => ({ id, etag })),
      survivor: { id: survivor.id, etag: survivor.etag },
      similarity: update.similarity,
      findings: [`NEWER_${update.kind}`, ...update.findings],
      tokensBefore: before + after,
      tokensAfter: after,
    });
  }
  return found;
}
