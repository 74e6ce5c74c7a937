import type { CompactionGroup } from "./group.ts";
import type { ActionCount, CompactionRun } from "./run.ts";

/** The counts with those of further groups of a plan. */
export function countGroups(
  counts: readonly ActionCount[],
  groups: readonly Pick<CompactionGroup, "action" | "reason" | "members">[],
): readonly ActionCount[] {
  const byKey = new Map(counts.map((count) => [`${count.action} ${count.reason}`, count]));
  for (const { action, reason, members } of groups) {
    const key = `${action} ${reason}`;
    const { groups: count = 0, memories = 0 } = byKey.get(key) ?? {};
    byKey.set(key, { action, reason, groups: count + 1, memories: memories + members.length });
  }
  return [...byKey.values()];
}

/** The counts with memories that the limit of a run defers; they are in no group. */
function countDeferred(counts: readonly ActionCount[], deferred: number): readonly ActionCount[] {
  if (deferred === 0) return counts;
  const isCap = ({ action, reason }: ActionCount): boolean => action === "KEEP" && reason === "CAP";
  const before = counts.find(isCap)?.memories ?? 0;
  const cap = { action: "KEEP", reason: "CAP", groups: 0, memories: before + deferred } as const;
  return [...counts.filter((count) => !isCap(count)), cap];
}

/** The run with the plan for one more user; its counts say what the plan would do. */
export function withPlan(
  run: CompactionRun,
  plan: {
    readonly examined: number;
    readonly deferred: number;
    readonly tokens: number;
    readonly groups: readonly CompactionGroup[];
  },
): CompactionRun {
  const { groups } = plan;
  const changing = groups.filter(({ action }) => action !== "KEEP");
  const saved = changing.reduce((sum, { tokensBefore, tokensAfter }) => sum + tokensBefore - tokensAfter, 0);
  return {
    ...run,
    examined: run.examined + plan.examined,
    groups: run.groups + groups.length,
    affected: run.affected + changing.reduce((sum, { members }) => sum + members.length, 0),
    created: run.created + groups.filter(({ action }) => action === "SUMMARIZE").length,
    counts: countDeferred(countGroups(run.counts, groups), plan.deferred),
    tokensBefore: run.tokensBefore + plan.tokens,
    tokensAfter: run.tokensAfter + plan.tokens - saved,
  };
}

/** The run before its planning, which begins anew after a crash. */
export function withoutPlan(run: CompactionRun): CompactionRun {
  return {
    ...run,
    ...{ examined: 0, groups: 0, doneGroups: 0, droppedGroups: 0, undoneGroups: 0 },
    ...{ affected: 0, created: 0, counts: [], tokensBefore: 0, tokensAfter: 0 },
  };
}

/** The run when its plan is complete or approved: from now on its numbers say what it has done. KEEP groups need nothing. */
export function beginApplying(run: CompactionRun): CompactionRun {
  const { approvalExpireTime: _, ...rest } = run;
  const kept = run.counts.filter(({ action }) => action === "KEEP");
  return {
    ...rest,
    state: "APPLYING",
    doneGroups: kept.reduce((sum, { groups }) => sum + groups, 0),
    ...{ affected: 0, created: 0, tokensAfter: run.tokensBefore },
  };
}

/** The run after one of its groups was applied or dropped. */
export function withDone(run: CompactionRun, group: CompactionGroup): CompactionRun {
  if (group.state === "DROPPED") {
    return { ...run, doneGroups: run.doneGroups + 1, droppedGroups: run.droppedGroups + 1 };
  }
  return {
    ...run,
    doneGroups: run.doneGroups + 1,
    affected: run.affected + group.members.length,
    created: run.created + (group.action === "SUMMARIZE" ? 1 : 0),
    tokensAfter: run.tokensAfter - group.tokensBefore + group.tokensAfter,
  };
}

/** The run after it has ended; it can be undone until `undoMs` later, when it has changed anything. */
export function withEnd(
  run: CompactionRun,
  state: "SUCCEEDED" | "FAILED" | "CANCELLED",
  { now, undoMs }: { readonly now: number; readonly undoMs: number },
): CompactionRun {
  const hasChanged = run.state === "APPLYING" && run.affected > 0;
  return { ...run, state, endTime: now, ...(hasChanged ? { undoExpireTime: now + undoMs } : {}) };
}

/** A group that is over without a summary, so that it keeps no text. */
export function withoutText(group: CompactionGroup): CompactionGroup {
  return group.summary === undefined ? group : { ...group, summary: { ...group.summary, text: "" } };
}
