import type { AccessStatistics, MemoryKind, OnDuplicate } from "./memory.ts";

/**
 * A recall loop: an agent recalls a memory, takes it for something new that it has learned, and stores it again, under a new
 * session each time. A new memory is one when an ACTIVE memory of its namespace with the same textKey was accessed within the
 * window. Of several the oldest counts, by (createTime, id), of the oldest MAX_SAME_TEXTS with this text.
 */
export const MAX_SAME_TEXTS = 100;

/**
 * From when on an access makes a new memory a recall loop, in milliseconds since the epoch; undefined: it is not checked. Not
 * for messages, which may repeat, nor when the caller says what to do with duplicates or replaces other memories.
 * `windowMs`: 0 switches it off.
 */
export function recalledSince(
  draft: { readonly kind: MemoryKind; readonly supersedes?: readonly string[] },
  onDuplicate: OnDuplicate | undefined,
  { now, windowMs }: { readonly now: number; readonly windowMs: number },
): number | undefined {
  const applies = onDuplicate === undefined && draft.kind !== "MESSAGE" && draft.supersedes === undefined;
  return applies && windowMs > 0 ? now - windowMs : undefined;
}

/** Whether a memory with these access statistics was recalled at this time or later. */
export function isRecalled(access: AccessStatistics | undefined, since: number): boolean {
  return access !== undefined && access.lastAccessTime >= since;
}
