import { isDeepStrictEqual } from "node:util";
import type { JsonObject } from "../../lib/json.ts";
import { MAX_TAGS } from "../memory/duplicate.ts";
import type { Memory } from "../memory/memory.ts";

/** Why memories of the same text cannot become one without losing something. */
export type MergeConflict = "AUTHOR" | "ROLE" | "VALIDITY" | "EVENT_TIME" | "METADATA" | "TAGS";

/** Most ids in `source_ids`, as memory.proto has it. */
export const MAX_SOURCES = 256;

/** The fields of a memory that a merge may change. */
export type MergedFields = Pick<Memory, "tags" | "importance" | "sourceIds" | "expireTime">;

/**
 * What keeps two memories apart, whatever they say: the speaker, when it holds, when it happened, or metadata under one key.
 * `happened`: their texts tell an event, so that another time is another event.
 */
export function mergeConflicts(one: Memory, other: Memory, happened: boolean): readonly MergeConflict[] {
  const conflicts: MergeConflict[] = [];
  if (one.author !== other.author) conflicts.push("AUTHOR");
  if (one.role !== other.role) conflicts.push("ROLE");
  if (one.validFrom !== other.validFrom || one.validUntil !== other.validUntil) conflicts.push("VALIDITY");
  if (happened && one.eventTime !== other.eventTime) conflicts.push("EVENT_TIME");
  if (conflict(one.metadata, other.metadata)) conflicts.push("METADATA");
  return conflicts;
}

/** Whether `more` has each key of `metadata` with the same value. */
function hasAll(more: JsonObject, metadata: JsonObject): boolean {
  return Object.entries(metadata).every(
    ([key, value]) => Object.hasOwn(more, key) && isDeepStrictEqual(more[key], value),
  );
}

function conflict(one: JsonObject, other: JsonObject): boolean {
  return Object.entries(other).some(
    ([key, value]) => Object.hasOwn(one, key) && !isDeepStrictEqual(one[key], value),
  );
}

/**
 * The fields of the survivor with what the others carry: all tags, in order; the highest importance; the latest expire time
 * (none, if one has none); as source ids its own, then the id and the source ids of each other, up to
 * {@link MAX_SOURCES} (`superseded_by` of the others says the same). A conflict when there are too many tags, or it lacks metadata of another one, which a merge does not change. Its text,
 * times and session stay.
 */
export function mergeInto(survivor: Memory, others: readonly Memory[]): MergedFields | MergeConflict {
  const all = [survivor, ...others];
  const tags = [...new Set(all.flatMap((memory) => memory.tags))];
  if (tags.length > Math.max(MAX_TAGS, survivor.tags.length)) return "TAGS";
  const sources = others.flatMap(({ id, sourceIds }) => [id, ...sourceIds]);
  const sourceIds = [...new Set([...survivor.sourceIds, ...sources])]
    .filter((id) => id !== survivor.id)
    .slice(0, Math.max(MAX_SOURCES, survivor.sourceIds.length));
  const lacks = others.some(({ metadata }) => !hasAll(survivor.metadata, metadata));
  if (lacks) return "METADATA";
  const expireTimes = all.map(({ expireTime }) => expireTime ?? Number.POSITIVE_INFINITY);
  const expireTime = Math.max(...expireTimes);
  return {
    tags,
    importance: Math.max(...all.map(({ importance }) => importance)),
    sourceIds,
    ...(expireTime === Number.POSITIVE_INFINITY ? {} : { expireTime }),
  };
}

/** Whether the survivor has all that the others carry, so that it need not change; source ids do not count. */
export function isUnchanged(survivor: Memory, merged: MergedFields): boolean {
  return (
    survivor.importance === merged.importance &&
    survivor.expireTime === merged.expireTime &&
    isDeepStrictEqual(survivor.tags, merged.tags)
  );
}
