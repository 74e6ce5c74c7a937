import type { Memory } from "../memory/memory.ts";
import type { CompactionGroup, JournalEntry } from "./group.ts";

/** What undoing a group, or a part of it, writes. */
export interface UndoneGroup {
  /** All memories that it writes, with their present etags. */
  readonly expected: readonly { readonly id: string; readonly etag: string }[];
  readonly put: readonly Memory[];
  /** Summaries that are deleted. */
  readonly remove: readonly string[];
  /** The group with its journal: UNDONE when all of it is reverted or cannot be. */
  readonly group: CompactionGroup;
  /** Ids of memories that were changed, deleted or have expired since, and so stay as they are. */
  readonly conflictIds: readonly string[];
}

/**
 * Undoes an APPLIED group: each memory that still has the etag which the run gave it gets the values of before, and so its
 * etag of before. The summary that the group created is deleted once all sources are back, unless it was changed since. With
 * `only`, a memory of the journal, the others stay as they are; a survivor is restored with the last of its members.
 * `current` gives the memories that exist and have not expired, without access statistics.
 */
export function undoGroup(
  group: CompactionGroup,
  current: ReadonlyMap<string, Memory>,
  only?: string,
): UndoneGroup {
  const journal = group.journal ?? [];
  const memberIds = new Set(group.members.map(({ id }) => id));
  const selected = selectEntries(journal, memberIds, only);
  const put: Memory[] = [];
  const conflictIds: string[] = [];
  const expected: { readonly id: string; readonly etag: string }[] = [];
  const undone = new Set<string>();
  for (const entry of journal.filter((one) => one.undone !== true && selected.has(one.id))) {
    const memory = current.get(entry.id);
    if (memory?.etag === entry.etagAfter) {
      put.push(restored(memory, entry));
      expected.push({ id: entry.id, etag: entry.etagAfter });
      undone.add(entry.id);
    } else conflictIds.push(entry.id);
  }
  const after = journal.map((one) => (undone.has(one.id) ? { ...one, undone: true } : one));
  // What was deleted or changed since is not hidden by the run.
  const sourcesAreBack = after.every(
    ({ id, etagAfter, undone: isBack }) =>
      isBack === true || !memberIds.has(id) || current.get(id)?.etag !== etagAfter,
  );
  const summary = summaryToRemove(group, current, sourcesAreBack);
  if (summary.conflict) conflictIds.push(group.summary?.id ?? "");
  if (summary.remove !== undefined) expected.push(summary.remove);
  const isOver = only === undefined || after.every((one) => one.undone === true);
  return {
    expected,
    put,
    remove: summary.remove === undefined ? [] : [summary.remove.id],
    group: { ...group, journal: after, ...(isOver ? { state: "UNDONE" as const } : {}) },
    conflictIds,
  };
}

/** All; or one member, with the survivor when it is the last one; or the survivor alone. */
function selectEntries(
  journal: readonly JournalEntry[],
  memberIds: ReadonlySet<string>,
  only: string | undefined,
): ReadonlySet<string> {
  if (only === undefined) return new Set(journal.map(({ id }) => id));
  const left = journal.filter(({ id, undone }) => memberIds.has(id) && undone !== true && id !== only);
  if (left.length > 0 || !memberIds.has(only)) return new Set([only]);
  return new Set([only, ...journal.filter(({ id }) => !memberIds.has(id)).map(({ id }) => id)]);
}

function summaryToRemove(
  { action, summary }: CompactionGroup,
  current: ReadonlyMap<string, Memory>,
  sourcesAreBack: boolean,
): { readonly remove?: { readonly id: string; readonly etag: string }; readonly conflict: boolean } {
  if (action !== "SUMMARIZE" || summary === undefined || !sourcesAreBack) return { conflict: false };
  const stored = current.get(summary.id);
  if (stored === undefined) return { conflict: false };
  if (stored.etag !== summary.etag) return { conflict: true };
  return { remove: { id: summary.id, etag: stored.etag }, conflict: false };
}

/** The memory with the values of before the run. */
function restored(memory: Memory, { before }: JournalEntry): Memory {
  const { expireTime: _, ...rest } = memory;
  return { ...rest, ...before };
}
