import type { NamespaceKey } from "../../domain/access/tenancy.ts";
import type { MemoryFilter } from "../../domain/memory/filter.ts";
import type { StoredMemory } from "../../domain/memory/memory.ts";

export interface ListPosition {
  readonly createTime: number;
  readonly id: string;
}

/** Reads memories by id and by filter; see Memories. */
export interface MemoryReader {
  /** Whether these ids are taken, in their order. Reads no records: the id of a damaged memory is taken too. */
  exist(scope: NamespaceKey, ids: readonly string[], now: number): Promise<boolean[]>;

  /** The memories with these ids, in any state, in the order of the ids; undefined where there is none. */
  get(scope: NamespaceKey, ids: readonly string[], now: number): Promise<(StoredMemory | undefined)[]>;

  /** Memories that pass the filter, newest first by (createTime, id), from behind `after` on. */
  list(
    scope: NamespaceKey,
    options: {
      readonly filter: MemoryFilter;
      readonly after?: ListPosition;
      readonly limit: number;
      readonly now: number;
    },
  ): Promise<StoredMemory[]>;

  /** How many memories pass the filter. */
  count(scope: NamespaceKey, filter: MemoryFilter, now: number): Promise<number>;
}
