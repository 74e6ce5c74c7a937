import { canonicalJson } from "../../lib/json.ts";
import { etagOf, type Memory } from "./memory.ts";

/** The most tags of a memory, as memory.proto has it. */
export const MAX_TAGS = 32;

/** Fields outside of the duplicate key that a caller gives, by their names in memory.proto and in its order. */
export type DifferingField =
  | "text"
  | "tags"
  | "metadata"
  | "importance"
  | "pinned"
  | "expire_time"
  | "source_ids";

export interface MergedDuplicate {
  /** The stored memory as it is to be; the same object when nothing changes. */
  readonly memory: Memory;
  /** Where the memory that was asked for is not what is stored then. */
  readonly differs: readonly DifferingField[];
}

/**
 * What becomes of a stored memory when a duplicate of it is to be stored: it expires at the later of both times (without
 * one it never does), and gets the tags that it lacks, in their order, as long as there is room. Nothing else changes;
 * with a change the etag and the update time do too, as with any correction. Neither memory holds access statistics.
 */
export function mergeDuplicate(stored: Memory, asked: Memory, now: number): MergedDuplicate {
  const lacking = [...new Set(asked.tags)].filter((tag) => !stored.tags.includes(tag));
  const added = lacking.slice(0, Math.max(0, MAX_TAGS - stored.tags.length));
  const expireTime = laterEnd(stored.expireTime, asked.expireTime);
  const memory =
    added.length === 0 && expireTime === stored.expireTime
      ? stored
      : changed(stored, { tags: [...stored.tags, ...added], expireTime, now });
  return { memory, differs: differingFields(memory, asked) };
}

/** Undefined is never, the latest of all. */
function laterEnd(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? undefined : Math.max(one, other);
}

function changed(
  stored: Memory,
  change: { readonly tags: readonly string[]; readonly expireTime: number | undefined; readonly now: number },
): Memory {
  const { expireTime: _before, ...kept } = stored;
  const { tags, expireTime, now } = change;
  const content = {
    ...kept,
    tags,
    ...(expireTime === undefined ? {} : { expireTime }),
    // Later than the state before, even when the clock has not moved: a change must be seen as one.
    updateTime: Math.max(now, stored.updateTime + 1),
  };
  return { ...content, etag: etagOf(content) };
}

function differingFields(stored: Memory, asked: Memory): DifferingField[] {
  const differs: Record<DifferingField, boolean> = {
    text: asked.text !== stored.text,
    // The stored one may have others too: what was asked for is there.
    tags: asked.tags.some((tag) => !stored.tags.includes(tag)),
    metadata: canonicalJson(asked.metadata) !== canonicalJson(stored.metadata),
    importance: asked.importance !== stored.importance,
    pinned: asked.pinned !== stored.pinned,
    expire_time: asked.expireTime !== stored.expireTime,
    source_ids: canonicalJson(asked.sourceIds) !== canonicalJson(stored.sourceIds),
  };
  return (Object.keys(differs) as DifferingField[]).filter((field) => differs[field]);
}
