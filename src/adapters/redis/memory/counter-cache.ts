import { LRUCache } from "lru-cache";
import { atMostEntries } from "../../../lib/lru-options.ts";

/** Some ten megabytes. */
const MAX_COUNTERS = 100_000;

/** The cached counters of one namespace, by name. Undefined: not cached. */
export type Counters = (name: string) => number | undefined;

/** Counters as they were just read. Undefined: the cached value is wrong. */
export type CounterUpdates = ReadonlyMap<string, number | undefined>;

/**
 * The counters of namespaces as this process read them last; the next search is planned by them. They may be stale: each
 * reply includes the current counters, by which the plan is checked.
 */
export class CounterCache {
  readonly #counters = new LRUCache<string, number>(atMostEntries(MAX_COUNTERS));

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

/** The counters with updates applied. */
export function withUpdates(counters: Counters, updates: CounterUpdates): Counters {
  return (name) => (updates.has(name) ? updates.get(name) : counters(name));
}

function keyOf(namespaceId: string, name: string): string {
  return `${namespaceId} ${name}`;
}
