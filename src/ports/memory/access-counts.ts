import type { NamespaceKey } from "../../domain/access/tenancy.ts";

/** How often and when last memories were read; see Memories. */
export interface AccessCounts {
  /**
   * Counts an access to each of these memories, two for an id that occurs twice. Synchronous, without I/O or errors: counts
   * are flushed in batches, within a second and when the store is closed; a crash, or a failed write, loses a batch. Every
   * read and filter of the same store object includes all earlier counts. Counts of memories that do not exist are
   * dropped; a deletion drops the counts of its memory.
   */
  add(namespaceKey: NamespaceKey, ids: readonly string[], now: number): void;
}
