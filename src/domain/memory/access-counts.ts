import type { AccessStatistics } from "./memory.ts";

/** By namespace (in the store's own form) and memory id. */
export type AccessBatch = ReadonlyMap<string, ReadonlyMap<string, AccessStatistics>>;

type Counting = Map<string, Map<string, AccessStatistics>>;

/**
 * A write buffer of access counts: many accesses of one memory make one change. A batch that is being written stays
 * readable here until it is settled, so that no read misses it in between.
 */
export class AccessCountBuffer {
  #adding: Counting = new Map();
  readonly #writing = new Set<Counting>();
  #size = 0;

  /** Memories with accesses since the last `take`. */
  get size(): number {
    return this.#size;
  }

  add(namespace: string, id: string, now: number): void {
    let ids = this.#adding.get(namespace);
    if (ids === undefined) {
      ids = new Map();
      this.#adding.set(namespace, ids);
    }
    const before = ids.get(id);
    if (before === undefined) this.#size += 1;
    ids.set(id, sum(before, { accessCount: 1, lastAccessTime: now }));
  }

  /** The accesses of a memory that are not stored yet; undefined: none. */
  buffered(namespace: string, id: string): AccessStatistics | undefined {
    let found: AccessStatistics | undefined;
    for (const counting of [...this.#writing, this.#adding]) {
      const more = counting.get(namespace)?.get(id);
      if (more !== undefined) found = sum(found, more);
    }
    return found;
  }

  /**
   * A live view of the accesses added to one namespace until the next `take`. A store that reads asynchronously gets it
   * when it requests the stored counts: it contains what those lack, whether a batch is taken meanwhile or not.
   */
  current(namespace: string): ReadonlyMap<string, AccessStatistics> | undefined {
    return this.#adding.get(namespace);
  }

  /** All accesses since the last call, to be written and then settled; undefined: none. */
  take(): AccessBatch | undefined {
    if (this.#size === 0) return undefined;
    const batch = this.#adding;
    this.#writing.add(batch);
    this.#adding = new Map();
    this.#size = 0;
    return batch;
  }

  /** Drops a batch that was stored or lost. */
  settle(batch: AccessBatch): void {
    this.#writing.delete(batch as Counting);
  }

  /** Drops all counts, because all memories were deleted; batches that are being written must still be settled. */
  forgetAll(): void {
    this.#adding = new Map();
    this.#size = 0;
    for (const counting of this.#writing) counting.clear();
  }

  /** Drops the counts of a deleted memory, so that a new one with its id starts without accesses. */
  forget(namespace: string, id: string): void {
    if (this.#adding.get(namespace)?.delete(id) === true) this.#size -= 1;
    for (const counting of this.#writing) counting.get(namespace)?.delete(id);
  }
}

/** The sum of both; undefined: no accesses. */
export function sum(one: AccessStatistics | undefined, other: AccessStatistics): AccessStatistics {
  if (one === undefined) return other;
  return {
    accessCount: one.accessCount + other.accessCount,
    lastAccessTime: Math.max(one.lastAccessTime, other.lastAccessTime),
  };
}
