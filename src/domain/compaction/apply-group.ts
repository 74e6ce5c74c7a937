import { etagOf, type Memory } from "../memory/memory.ts";
import { superseded } from "../memory/supersession.ts";
import type { CompactionGroup, JournalEntry } from "./group.ts";

/** The fields of a survivor that a merge changes; absent ones stay. */
export type SurvivorFields = Partial<Pick<Memory, "tags" | "importance" | "sourceIds">> & {
  /** "never": it does not expire any more. */
  readonly expireTime?: number | "never";
};

/** What applying a group writes to memories that exist, and its journal. */
export interface AppliedGroup {
  readonly put: readonly Memory[];
  readonly journal: readonly JournalEntry[];
}

/**
 * Applies a group to its memories, as they are stored and were planned: members of MERGE and SUPERSEDE become SUPERSEDED by
 * the survivor, members of SUMMARIZE become ARCHIVED with the summary in `superseded_by`, members of ARCHIVE become ARCHIVED.
 * The survivor gets `fields`, when they change anything. Takes memories without access statistics.
 */
export function applyGroup(
  group: Pick<CompactionGroup, "action" | "survivor" | "summary">,
  members: readonly Memory[],
  survivor: { readonly memory: Memory; readonly fields: SurvivorFields } | undefined,
  now: number,
): AppliedGroup {
  const put = members.map((member) => leave(group, member, now));
  const journal = members.map((member, index) => entryOf(member, put[index]?.etag ?? ""));
  const changed = survivor === undefined ? undefined : survive(survivor.memory, survivor.fields, now);
  if (survivor === undefined || changed === undefined) return { put, journal };
  return { put: [...put, changed], journal: [...journal, entryOf(survivor.memory, changed.etag)] };
}

function leave(
  { action, survivor, summary }: Pick<CompactionGroup, "action" | "survivor" | "summary">,
  member: Memory,
  now: number,
): Memory {
  if (action === "MERGE" || action === "SUPERSEDE") return superseded(member, survivor?.id ?? "", now);
  const content = {
    ...member,
    state: "ARCHIVED" as const,
    supersededBy: action === "SUMMARIZE" ? (summary?.id ?? "") : "",
    updateTime: Math.max(now, member.updateTime + 1),
  };
  return { ...content, etag: etagOf(content) };
}

/** Undefined: nothing changes. */
function survive(memory: Memory, fields: SurvivorFields, now: number): Memory | undefined {
  const { expireTime: _, ...rest } = memory;
  const expireTime = fields.expireTime ?? memory.expireTime;
  const content = {
    ...rest,
    ...(expireTime === undefined || expireTime === "never" ? {} : { expireTime }),
    tags: fields.tags ?? memory.tags,
    importance: fields.importance ?? memory.importance,
    sourceIds: fields.sourceIds ?? memory.sourceIds,
  };
  if (etagOf(content) === etagOf(memory)) return undefined;
  const updated = { ...content, updateTime: Math.max(now, memory.updateTime + 1) };
  return { ...updated, etag: etagOf(updated) };
}

/** Holds all fields that a run may change, so that undo needs no other rule. */
function entryOf(memory: Memory, etagAfter: string): JournalEntry {
  const { etag, updateTime, state, supersededBy, tags, importance, sourceIds, expireTime } = memory;
  return {
    id: memory.id,
    etagAfter,
    before: {
      ...{ etag, updateTime, state, supersededBy, tags, importance, sourceIds },
      ...(expireTime === undefined ? {} : { expireTime }),
    },
  };
}
