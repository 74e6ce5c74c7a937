import type { NamespaceKey } from "../../domain/access/tenancy.ts";
import type { MemoryFilter } from "../../domain/memory/filter.ts";
import type { Memory } from "../../domain/memory/memory.ts";
import type { ListPosition } from "./reader.ts";
import type { Replacement, SteppedWrites } from "./writer.ts";

/** An exported memory, with its session position (0: none) and the input of the indexes. */
export type ImportedMemory = Replacement;

/** The outcome of an imported memory: stored, or skipped because its id exists. */
export type ImportOutcome = "imported" | "skipped";

/** Reads whole namespaces; see Memories. */
export interface MemoryExport {
  /**
   * Memories after `after` that pass the filter, oldest first by (createTime, id). A page takes at most `maxBytes` (bytes as
   * stored), but contains one memory at least, unless none is left. Reading a whole namespace takes time in proportion to
   * its size, with any filter.
   */
  listOldest(
    namespaceKey: NamespaceKey,
    options: {
      readonly filter: MemoryFilter;
      readonly after?: ListPosition;
      readonly limit: number;
      readonly maxBytes: number;
      readonly now: number;
    },
  ): Promise<Memory[]>;
}

/** Writes exported memories; see Memories. */
export interface MemoryImport extends SteppedWrites {
  /**
   * Writes memories unchanged, in order, in one atomic step: ids, times, states and etags stay, and duplicates are stored.
   * Skips a memory whose id exists, also from an earlier item. A session position stays unless another memory of the
   * session has it; then, or with 0, the store assigns the next one. Later writes get higher positions. Rejects with
   * TOO_MANY_NAMESPACES.
   */
  import(
    namespaceKey: NamespaceKey,
    items: readonly ImportedMemory[],
    options: { readonly now: number },
  ): Promise<ImportOutcome[]>;
}
