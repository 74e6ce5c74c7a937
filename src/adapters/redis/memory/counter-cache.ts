/** Numbers kept at hand: some ten megabytes. */
const MAX_SEEN = 100_000;

/**
 * What this process last read of the counters of namespaces, by which the next question is put. It may be wrong by then:
 * an answer brings the counters along anew, and is judged by those. Forgets what was not used for longest.
 */
export class SeenNumbers {
  readonly #seen = new Map<string, number>();

  /** `namespace` is its number. Undefined: was never seen, or is forgotten. */
  get(namespace: string, name: string): number | undefined {
    const key = keyOf(namespace, name);
    const value = this.#seen.get(key);
    if (value === undefined) return undefined;
    this.#seen.delete(key);
    this.#seen.set(key, value);
    return value;
  }

  set(namespace: string, name: string, value: number): void {
    const key = keyOf(namespace, name);
    this.#seen.delete(key);
    this.#seen.set(key, value);
    if (this.#seen.size <= MAX_SEEN) return;
    const [oldest] = this.#seen.keys();
    if (oldest !== undefined) this.#seen.delete(oldest);
  }

  forget(namespace: string, name: string): void {
    this.#seen.delete(keyOf(namespace, name));
  }

  forgetAll(): void {
    this.#seen.clear();
  }
}

function keyOf(namespace: string, name: string): string {
  return `${namespace} ${name}`;
}
