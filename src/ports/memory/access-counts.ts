import type { NamespaceKey } from "../../domain/access/tenancy.ts";

/** How often memories were read, and when last; see Memories. */
export interface AccessCounts {
  /**
   * Counts an access to each of these memories, twice to one that is named twice. Never waits, writes or fails: what
   * was counted is written in batches, within a second and when the store is closed; a crash, or a write that fails,
   * loses a batch. Every read and filter of the same store object knows all that was counted before. What is counted
   * of a memory that is not there is dropped; a deletion drops the counts of its memory.
   */
  add(scope: NamespaceKey, ids: readonly string[], now: number): void;
}
