import type { NamespaceKey } from "../../domain/access/tenancy.ts";
import type { MemoryFilter } from "../../domain/memory/filter.ts";
import type { Memory } from "../../domain/memory/memory.ts";
import type { ListPosition } from "./reader.ts";
import type { Replacement, SteppedWrites } from "./writer.ts";

/** A memory that was exported, with the session position that it had (0: none), and with what the indexes need. */
export type ImportedMemory = Replacement;

/** The outcome of an imported memory: stored, or skipped because its id is taken. */
export type ImportOutcome = "imported" | "skipped";

/** Walks through whole namespaces; see Memories. */
export interface MemoryExport {
  /**
   * Memories that pass the filter, oldest first by (createTime, id), from behind `after` on. A page also ends before the
   * memory with which it would take more than `maxBytes`, as the store keeps them; it holds one at least, unless none is
   * left. A walk through a whole namespace costs time in proportion to it, whatever the filter.
   */
  listOldest(
    scope: NamespaceKey,
    options: {
      readonly filter: MemoryFilter;
      readonly after?: ListPosition;
      readonly limit: number;
      readonly maxBytes: number;
      readonly now: number;
    },
  ): Promise<Memory[]>;
}

/** Writes memories that were exported; see Memories. */
export interface MemoryImport extends SteppedWrites {
  /**
   * Writes memories as they are, in order, all in one atomic step: ids, times, states and etags stay, and a text that
   * is there is stored again. One whose id is taken, by an earlier item too, is skipped. A session position stays
   * unless a memory of the session holds it; with 0, or one that is held, the store gives the next one. Later writes
   * get positions behind all of them. Rejects with TOO_MANY_NAMESPACES.
   */
  import(
    scope: NamespaceKey,
    items: readonly ImportedMemory[],
    options: { readonly now: number },
  ): Promise<ImportOutcome[]>;
}
