import type { MemoryDraft } from "./draft.ts";
import type { StoredMemory } from "./memory.ts";
import type { RevisedMemory } from "./revision.ts";

/** Fields that an update may change: not id, session and times of writing. */
export type MutableField = Exclude<keyof MemoryDraft, "id" | "sessionId" | "ttlMs" | "supersedes" | "flags">;

/** Converts a memory to a draft, so that an update is checked and prepared like a new memory. */
export function draftOf(
  memory: RevisedMemory & Partial<Pick<StoredMemory, "embedding" | "access">>,
): MemoryDraft {
  const { sessionPosition, createTime, updateTime, state, ...rest } = memory;
  const { supersededBy, etag, embedding, access, ...draft } = rest;
  return draft;
}

/**
 * The draft with these fields replaced by those of `from`; a field that is absent in `from` becomes absent. `expireTime`
 * stands for `ttlMs` too.
 */
export function withFields(
  draft: MemoryDraft,
  fields: readonly MutableField[],
  from: MemoryDraft,
): MemoryDraft {
  const { ttlMs: _ttlMs, ...changed }: { -readonly [K in keyof MemoryDraft]: MemoryDraft[K] } = { ...draft };
  for (const field of fields) {
    delete changed[field];
    if (from[field] !== undefined) Object.assign(changed, { [field]: from[field] });
  }
  const hasNewTtl = fields.includes("expireTime") && from.ttlMs !== undefined;
  return hasNewTtl ? { ...changed, ttlMs: from.ttlMs } : changed;
}
