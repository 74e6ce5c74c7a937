import { invalidField } from "../errors.ts";
import { isExpired, type Memory } from "./memory.ts";

/** A memory as it was before a change: without its embedding, which a restore makes anew. */
export type RevisedMemory = Omit<Memory, "embedding">;

/** A version of a memory that another one has replaced. */
export interface MemoryRevision {
  /** From 1 in the order of the versions, without gaps; no two versions of a memory ever have the same. */
  readonly number: number;
  /** When it was replaced: the update time of the version that replaced it, or see putTime. Milliseconds since the epoch. */
  readonly replaceTime: number;
  readonly memory: RevisedMemory;
}

/** How many revisions of a memory are kept, unless configured. */
export const DEFAULT_MAX_REVISIONS = 20;

/** The part of a memory that a revision has. */
export function revisedMemory({ embedding: _, ...memory }: Memory): RevisedMemory {
  return memory;
}

/**
 * The time at which a record is put in the place of another: its update time, or `now` when it is an earlier version, which an
 * undo puts back.
 */
export function putTime({ updateTime }: Pick<Memory, "updateTime">, now: number): number {
  return Math.max(updateTime, now);
}

/** Throws REQUEST_INVALID for content that has expired: a restored memory would never be found. */
export function refuseExpired(content: Pick<Memory, "expireTime">, now: number): void {
  if (isExpired(content, now)) throw invalidField("revision", "its expire_time has passed");
}
