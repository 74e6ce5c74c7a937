import { canonicalJson } from "../../lib/json.ts";
import { etagOf, type Memory } from "./memory.ts";

/** The most tags of a memory, as memory.proto has it. */
export const MAX_TAGS = 32;

/**
 * Fields that a caller sets, by their names in memory.proto and in its order. Those of the duplicate key differ only from a
 * memory that was recalled: see recall-loop.ts.
 */
export type DifferingField =
  | "text"
  | "kind"
  | "agent_id"
  | "session_id"
  | "role"
  | "author"
  | "tags"
  | "metadata"
  | "importance"
  | "pinned"
  | "event_time"
  | "valid_from"
  | "valid_until"
  | "expire_time"
  | "source_ids";

export interface MergedDuplicate {
  /** The merged memory; the stored object itself when nothing changes. */
  readonly memory: Memory;
  /** Fields in which the merged memory differs from the requested one. */
  readonly differs: readonly DifferingField[];
}

/**
 * Merges a requested duplicate into the stored memory: it gets the later expire time (never, if one has none), and the
 * tags that it lacks, in their order, up to MAX_TAGS. Nothing else changes; a change also changes the etag and the update
 * time, as any update does. Neither memory contains access statistics.
 */
export function mergeDuplicate(stored: Memory, requested: Memory, now: number): MergedDuplicate {
  const lacking = [...new Set(requested.tags)].filter((tag) => !stored.tags.includes(tag));
  const added = lacking.slice(0, Math.max(0, MAX_TAGS - stored.tags.length));
  const expireTime = laterExpireTime(stored.expireTime, requested.expireTime);
  const memory =
    added.length === 0 && expireTime === stored.expireTime
      ? stored
      : changed(stored, { tags: [...stored.tags, ...added], expireTime, now });
  return { memory, differs: differingFields(memory, requested) };
}

/** Undefined: never expires. */
function laterExpireTime(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? undefined : Math.max(one, other);
}

function changed(
  stored: Memory,
  change: { readonly tags: readonly string[]; readonly expireTime: number | undefined; readonly now: number },
): Memory {
  const { expireTime: _before, ...unchanged } = stored;
  const { tags, expireTime, now } = change;
  const content = {
    ...unchanged,
    tags,
    ...(expireTime === undefined ? {} : { expireTime }),
    // Later than before, even when the clock has not advanced, so that the change is visible.
    updateTime: Math.max(now, stored.updateTime + 1),
  };
  return { ...content, etag: etagOf(content) };
}

/** Fields in which a stored memory of the same user differs from the requested one. */
export function differingFields(stored: Memory, requested: Memory): DifferingField[] {
  const differs: Record<DifferingField, boolean> = {
    text: requested.text !== stored.text,
    kind: requested.kind !== stored.kind,
    agent_id: requested.agentId !== stored.agentId,
    session_id: requested.sessionId !== stored.sessionId,
    role: requested.role !== stored.role,
    author: requested.author !== stored.author,
    // The stored memory may have more tags.
    tags: requested.tags.some((tag) => !stored.tags.includes(tag)),
    metadata: canonicalJson(requested.metadata) !== canonicalJson(stored.metadata),
    importance: requested.importance !== stored.importance,
    pinned: requested.pinned !== stored.pinned,
    event_time: requested.eventTime !== stored.eventTime,
    valid_from: requested.validFrom !== stored.validFrom,
    valid_until: requested.validUntil !== stored.validUntil,
    expire_time: requested.expireTime !== stored.expireTime,
    source_ids: canonicalJson(requested.sourceIds) !== canonicalJson(stored.sourceIds),
  };
  return (Object.keys(differs) as DifferingField[]).filter((field) => differs[field]);
}
