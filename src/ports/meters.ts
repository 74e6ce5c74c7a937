/** What use cases count. One method an event, never throwing; attributes have few values. */
export interface Meters {
  cacheLookup(outcome: "exact" | "semantic" | "miss", detail: string): void;
  vectorSearch(milliseconds: number): void;
}

/** What storing an answer counts; by the same rules. */
export interface EvictionMeter {
  /** Answers that could have been served, taken away for another. */
  cacheEvicted(count: number): void;
}

/** What a store counts of itself; by the same rules. */
export interface StoreMeter {
  /** So many parts of the stored data are known to be damaged now. */
  storeDamaged(parts: number): void;
  /** Damaged parts that have been made again from what is whole. */
  storeRepaired(parts: number): void;
}
