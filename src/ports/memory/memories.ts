import type { AccessCounts } from "./access-counts.ts";
import type { MemoryPurge } from "./purge.ts";
import type { MemoryReader } from "./reader.ts";
import type { CandidateSearch } from "./search.ts";
import type { MemoryExport, MemoryImport } from "./transfer.ts";
import type { MemoryWriter } from "./writer.ts";

/**
 * The memories of a store, one port for each use. Every method works inside one scope and sees nothing else; an unknown
 * namespace is empty. A write that has resolved is durable and is found by every later read. A rejected write has changed
 * nothing. Reads leave out what has expired at `now`. Rejects with STORE_UNAVAILABLE (also when it is closed),
 * STORE_FULL or STORE_CORRUPT; with the latter also in place of "not there" when the memory may be one that was lost.
 */
export interface Memories {
  readonly reader: MemoryReader;
  readonly writer: MemoryWriter;
  readonly purge: MemoryPurge;
  readonly search: CandidateSearch;
  readonly accessCounts: AccessCounts;
  readonly exporter: MemoryExport;
  readonly importer: MemoryImport;
}
