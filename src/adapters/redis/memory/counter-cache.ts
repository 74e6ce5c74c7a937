import { LRUCache } from "lru-cache";

/** Some ten megabytes. */
const MAX_COUNTERS = 100_000;

/** What is known of the counters of one namespace, by name. Undefined: nothing. */
export type Counters = (name: string) => number | undefined;

/** Counters as they were just read. Undefined: what was known is wrong. */
export type CounterUpdates = ReadonlyMap<string, number | undefined>;

/**
 * The counters of namespaces as this process read them last, by which the next search is planned. They may be wrong by
 * then: each answer brings the counters along, and is judged by those.
 */
export class CounterCache {
  readonly #counters = new LRUCache<string, number>({ max: MAX_COUNTERS });

  of(namespaceId: string): Counters {
    return (name) => this.#counters.get(keyOf(namespaceId, name));
  }

  update(namespaceId: string, updates: CounterUpdates): void {
    for (const [name, value] of updates) {
      // An undefined value removes what was there.
      this.#counters.set(keyOf(namespaceId, name), value);
    }
  }

  clear(): void {
    this.#counters.clear();
  }
}

/** What is known after something was updates. */
export function withUpdates(counters: Counters, updates: CounterUpdates): Counters {
  return (name) => (updates.has(name) ? updates.get(name) : counters(name));
}

function keyOf(namespaceId: string, name: string): string {
  return `${namespaceId} ${name}`;
}
