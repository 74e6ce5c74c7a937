import type { AccessCounts } from "./access-counts.ts";
import type { ChangeFeed } from "./changes.ts";
import type { MemoryPurge } from "./purge.ts";
import type { MemoryReader } from "./reader.ts";
import type { MemoryRevisions } from "./revisions.ts";
import type { CandidateSearch } from "./search.ts";
import type { MemoryExport, MemoryImport } from "./transfer.ts";
import type { MemoryWriter } from "./writer.ts";

/**
 * The memories of a store, one port for each use. Every method is limited to one namespace; an unknown namespace is empty.
 * A write that has resolved is durable and visible to every later read. A rejected write has changed nothing. Reads omit
 * memories that have expired at `now`. Rejects with STORE_UNAVAILABLE (also when it is closed), STORE_FULL or
 * STORE_CORRUPT; with the latter also instead of MEMORY_NOT_FOUND when damage may have lost the memory.
 */
export interface Memories {
  readonly reader: MemoryReader;
  readonly writer: MemoryWriter;
  readonly purge: MemoryPurge;
  readonly search: CandidateSearch;
  readonly accessCounts: AccessCounts;
  readonly exporter: MemoryExport;
  readonly importer: MemoryImport;
  readonly changes: ChangeFeed;
  readonly revisions: MemoryRevisions;
}
