import type { NamespaceKey } from "../../domain/access/tenancy.ts";
import type { MemoryRevision } from "../../domain/memory/revision.ts";

/** Which revisions of a memory. */
export interface RevisionQuery {
  /** Absent: all. */
  readonly before?: number;
  readonly limit: number;
  readonly maxBytes: number;
  readonly now: number;
}

/** A page of revisions. */
export interface RevisionPage {
  /** Newest first. */
  readonly revisions: readonly MemoryRevision[];
  /** Whether older ones are kept. */
  readonly more: boolean;
}

/**
 * Reads the revisions of memories; see Memories. Each write that replaces the record of a memory (replace, a merged
 * duplicate, a supersession) keeps the replaced record in the same step; a setting of the store says how many of the last
 * ones. However a memory is deleted, its revisions are deleted in the same step: a memory that has its id later has none.
 */
export interface MemoryRevisions {
  /**
   * Revisions with a number below `before`, at most `limit` and `maxBytes` (bytes as stored), but one at least, unless none
   * is left. Undefined: there is no such memory.
   */
  list(namespaceKey: NamespaceKey, id: string, query: RevisionQuery): Promise<RevisionPage | undefined>;
}
