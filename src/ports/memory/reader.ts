import type { NamespaceKey } from "../../domain/access/tenancy.ts";
import type { MemoryFilter } from "../../domain/memory/filter.ts";
import type { StoredMemory } from "../../domain/memory/memory.ts";
import type { NeighborFilter } from "../../domain/memory/neighbors.ts";

export interface ListPosition {
  readonly createTime: number;
  readonly id: string;
}

/** Which neighbours to read, and how many. */
export interface NeighborOptions {
  readonly filter: NeighborFilter;
  /** Most on each side. */
  readonly count: number;
  /** Reading ends with the memory whose neighbours make it so many bytes, as stored. */
  readonly maxBytes: number;
  readonly now: number;
}

/** Reads memories by id and by filter; see Memories. */
export interface MemoryReader {
  /** Whether these ids exist, in their order. Reads no records: the id of a damaged memory exists too. */
  exist(namespaceKey: NamespaceKey, ids: readonly string[], now: number): Promise<boolean[]>;

  /** The memories with these ids, in any state, in the order of the ids; undefined: none. */
  get(namespaceKey: NamespaceKey, ids: readonly string[], now: number): Promise<(StoredMemory | undefined)[]>;

  /** Memories after `after` that pass the filter, newest first by (createTime, id). */
  list(
    namespaceKey: NamespaceKey,
    options: {
      readonly filter: MemoryFilter;
      readonly after?: ListPosition;
      readonly limit: number;
      readonly now: number;
    },
  ): Promise<StoredMemory[]>;

  /**
   * The neighbours of memories in their sessions, for the first of these ids, at least for one: those before it and those
   * after it, by position, that pass the filter, of NEIGHBOR_REACH on each side. Empty for an id without a memory, and for a
   * memory without a session.
   */
  neighbors(
    namespaceKey: NamespaceKey,
    ids: readonly string[],
    options: NeighborOptions,
  ): Promise<StoredMemory[][]>;

  /** How many memories pass the filter. */
  count(namespaceKey: NamespaceKey, filter: MemoryFilter, now: number): Promise<number>;
}
