/** What the order of eviction may rest on. Times are milliseconds since the epoch. */
export interface EntryUse {
  /** When the entry was last stored, replaced or served. */
  readonly lastUseTime: number;
}

/**
 * How much an entry is worth keeping: in a full namespace the lowest score goes first, of equal ones any.
 * Least recently used, so far; another policy is another function of the same kind, with more in EntryUse.
 * Stores keep the score beside the entry and set it anew at each use; it never sinks.
 */
export function keepScore(use: EntryUse): number {
  return use.lastUseTime;
}

/** How many of `count` entries have to go for `maxEntries` to hold. */
export function excessEntries(count: number, maxEntries: number): number {
  return Math.max(0, count - maxEntries);
}
