import { etagOf, type Memory } from "../memory/memory.ts";
import { superseded } from "../memory/supersession.ts";
import type { CompactionPlan, PlannedGroup, PlannedSummary } from "./plan-types.ts";

/** The active memories after these groups were applied, without those that they create, in their order. */
export function applyToActive(active: readonly Memory[], groups: readonly PlannedGroup[]): Memory[] {
  const removed = new Set(groups.flatMap(({ members }) => members.map(({ id }) => id)));
  const changes = changesOf(groups);
  return active
    .filter(({ id }) => !removed.has(id))
    .map((memory) => withChanges(memory, changes.get(memory.id)));
}

/**
 * What a plan makes of memories, when none was edited since: the reference for what applies it. `createId` gives the id of
 * each new memory.
 */
export function applyPlan(
  memories: readonly Memory[],
  { groups }: CompactionPlan,
  now: number,
  createId: (summary: PlannedSummary) => string,
): Memory[] {
  const changes = changesOf(groups);
  const removed = new Map<string, { readonly action: PlannedGroup["action"]; readonly by: string }>();
  const created: Memory[] = [];
  for (const { action, members, survivor, summary } of groups) {
    const made = summary === undefined ? undefined : summaryMemory(summary, createId(summary), now);
    if (made !== undefined) created.push(made);
    for (const { id } of members) removed.set(id, { action, by: survivor?.id ?? made?.id ?? "" });
  }
  const after = memories.flatMap((memory) => {
    const found = removed.get(memory.id);
    if (found?.action === "ARCHIVE" || found?.action === "SUMMARIZE") return [archived(memory, now)];
    if (found !== undefined) return [superseded(memory, found.by, now)];
    const changed = withChanges(memory, changes.get(memory.id));
    return [changed === memory ? memory : updated(changed, memory, now)];
  });
  return [...after, ...created];
}

function changesOf(groups: readonly PlannedGroup[]): ReadonlyMap<string, Partial<Memory> | undefined> {
  return new Map(
    groups.flatMap(({ survivor }) =>
      survivor?.changes === undefined ? [] : [[survivor.id, survivor.changes]],
    ),
  );
}

/** The survivor of a merge with what it gets; the same object when nothing changes. Its etag and update time are of before. */
function withChanges(memory: Memory, changes: Partial<Memory> | undefined): Memory {
  if (changes === undefined) return memory;
  const { expireTime: _, ...unchanged } = memory;
  return { ...unchanged, ...changes };
}

function updated(memory: Memory, before: Memory, now: number): Memory {
  const content = { ...memory, updateTime: Math.max(now, before.updateTime + 1) };
  return { ...content, etag: etagOf(content) };
}

/** The memory after compaction has archived it; its update time is that of the archiving. */
export function archived(memory: Memory, now: number): Memory {
  return updated({ ...memory, state: "ARCHIVED" }, memory, now);
}

/** The memory that a plan creates. Its session position and its embedding follow when it is stored. */
export function summaryMemory(summary: PlannedSummary, id: string, now: number): Memory {
  const content = {
    ...summary,
    id,
    role: "",
    author: "",
    metadata: {},
    pinned: false,
    createTime: now,
    updateTime: now,
    state: "ACTIVE" as const,
    supersededBy: "",
  };
  return {
    ...content,
    sessionPosition: 0,
    etag: etagOf(content),
    embedding: { state: "PENDING", provider: "", model: "", dimension: 0, truncated: false },
  };
}
