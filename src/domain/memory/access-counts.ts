import type { AccessStatistics } from "./memory.ts";

/** By namespace, as the store calls it, and memory id. */
export type AccessBatch = ReadonlyMap<string, ReadonlyMap<string, AccessStatistics>>;

type Counting = Map<string, Map<string, AccessStatistics>>;

/**
 * Accesses that are not stored yet, added up: many of one memory make one change. A batch that is being written is
 * still known here until it is settled, so that no read misses it in between.
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

  /** What is not stored yet of a memory; undefined when nothing is. */
  pending(namespace: string, id: string): AccessStatistics | undefined {
    let found: AccessStatistics | undefined;
    for (const counting of [...this.#writing, this.#adding]) {
      const more = counting.get(namespace)?.get(id);
      if (more !== undefined) found = sum(found, more);
    }
    return found;
  }

  /**
   * What is added in one namespace until the next `take`, as it grows. A store that reads asynchronously takes this when
   * it sends for the stored counts: it holds what those lack, whether a batch is taken meanwhile or not.
   */
  current(namespace: string): ReadonlyMap<string, AccessStatistics> | undefined {
    return this.#adding.get(namespace);
  }

  /** Everything since the last call, to be written and then settled; undefined when there is nothing. */
  take(): AccessBatch | undefined {
    if (this.#size === 0) return undefined;
    const batch = this.#adding;
    this.#writing.add(batch);
    this.#adding = new Map();
    this.#size = 0;
    return batch;
  }

  /** The batch is stored, or lost. */
  settle(batch: AccessBatch): void {
    this.#writing.delete(batch as Counting);
  }

  /** All memories are gone; what is being written is settled as before. */
  forgetAll(): void {
    this.#adding = new Map();
    this.#size = 0;
    for (const counting of this.#writing) counting.clear();
  }

  /** The memory is gone; one that takes its id has never been accessed. */
  forget(namespace: string, id: string): void {
    if (this.#adding.get(namespace)?.delete(id) === true) this.#size -= 1;
    for (const counting of this.#writing) counting.get(namespace)?.delete(id);
  }
}

/** Both together; undefined counts nothing. */
export function sum(one: AccessStatistics | undefined, other: AccessStatistics): AccessStatistics {
  if (one === undefined) return other;
  return {
    accessCount: one.accessCount + other.accessCount,
    lastAccessTime: Math.max(one.lastAccessTime, other.lastAccessTime),
  };
}
