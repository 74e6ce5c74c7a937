import { RecollectError } from "../errors.ts";
import type { MemoryDraft } from "./draft.ts";
import type { Memory, StoredMemory } from "./memory.ts";

/** Fields that a correction may change. Id, session and times of writing are what a memory is. */
export type MutableField = Exclude<keyof MemoryDraft, "id" | "sessionId" | "ttlMs">;

/** The memory as a draft again, so that a correction goes the way of a new one. */
export function draftOf(memory: StoredMemory): MemoryDraft {
  const { sessionPosition, createTime, updateTime, state, ...rest } = memory;
  const { supersedes, supersededBy, etag, embedding, access, ...draft } = rest;
  return draft;
}

/**
 * The draft with these fields taken from another one; a field that is absent there is absent then. The end of a
 * memory is one field: `expireTime` stands for a moment and for a span (`ttlMs`) alike.
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
  const endsAnew = fields.includes("expireTime") && from.ttlMs !== undefined;
  return endsAnew ? { ...changed, ttlMs: from.ttlMs } : changed;
}

/** Throws MEMORY_NOT_ACTIVE: what has been replaced or put aside is a record of the past. */
export function refuseInactive(memory: Memory): void {
  if (memory.state !== "SUPERSEDED" && memory.state !== "ARCHIVED") return;
  throw new RecollectError("MEMORY_NOT_ACTIVE", `memory ${memory.id} is ${memory.state.toLowerCase()}`, {
    metadata: { id: memory.id, state: memory.state },
    resource: { type: "memory", name: memory.id },
  });
}
