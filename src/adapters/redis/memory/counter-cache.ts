import { LRUCache } from "lru-cache";

/** Some ten megabytes. */
const MAX_COUNTERS = 100_000;

/** What is known of the counters of one namespace, by name. Undefined: nothing. */
export type Counters = (name: string) => number | undefined;

/** Counters as they were just read. Undefined: what was known is wrong. */
export type LearnedCounters = ReadonlyMap<string, number | undefined>;

/**
 * The counters of namespaces as this process read them last, by which the next search is planned. They may be wrong by
 * then: each answer brings the counters along, and is judged by those.
 */
export class CounterCache {
  readonly #counters = new LRUCache<string, number>({ max: MAX_COUNTERS });

  of(namespaceId: string): Counters {
    return (name) => this.#counters.get(keyOf(namespaceId, name));
  }

  learn(namespaceId: string, learned: LearnedCounters): void {
    for (const [name, value] of learned) {
      // An undefined value removes what was there.
      this.#counters.set(keyOf(namespaceId, name), value);
    }
  }

  forgetAll(): void {
    this.#counters.clear();
  }
}

/** What is known after something was learned. */
export function withLearned(counters: Counters, learned: LearnedCounters): Counters {
  return (name) => (learned.has(name) ? learned.get(name) : counters(name));
}

function keyOf(namespaceId: string, name: string): string {
  return `${namespaceId} ${name}`;
}
