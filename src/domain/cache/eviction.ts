/** The input of the eviction policy. Times are milliseconds since the epoch. */
export interface EntryUse {
  /** When the entry was last stored, replaced or served. */
  readonly lastUseTime: number;
}

/**
 * The score of an entry in the eviction order: a full namespace evicts the lowest score first, of equal scores any.
 * Least recently used, so far; another policy is another function of the same kind, with more in EntryUse. Stores keep the
 * score beside the entry and update it at each use; it never falls.
 */
export function keepScore(use: EntryUse): number {
  return use.lastUseTime;
}

/** How many of `count` entries must be evicted so that `maxEntries` are left. */
export function excessEntries(count: number, maxEntries: number): number {
  return Math.max(0, count - maxEntries);
}
