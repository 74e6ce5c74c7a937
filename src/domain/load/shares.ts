/** The state of one key. */
interface Share {
  /** Start tag of its next piece of work. */
  tag: number;
  /** Queued pieces of work, and their expected duration, in milliseconds. */
  count: number;
  queuedMs: number;
}

/**
 * Start-time fair queueing (Goyal, Vin and Cheng, 1996, https://doi.org/10.1145/248156.248171). Each key with queued work
 * gets a share of the time by its weight, whatever the load of the others; unused time goes to the others. A key's next
 * piece of work is tagged with the virtual time at which it would start if all keys were served at once; the smallest tag
 * is served, and the virtual time becomes that tag. A key that was idle starts at the current virtual time: it gets no
 * credit for the idle time.
 */
export class Shares {
  readonly #shares = new Map<string, Share>();
  readonly #weightOf: (key: string) => number;
  #virtualTime = 0;
  /** Queued pieces of work of all keys. */
  #count = 0;

  /** `weightOf`: keys get time in proportion to it; default: equal weights. */
  constructor(weightOf: (key: string) => number = () => 1) {
    this.#weightOf = weightOf;
  }

  add(key: string, costMs: number): void {
    let share = this.#shares.get(key);
    if (share === undefined) {
      share = { tag: this.#virtualTime, count: 0, queuedMs: 0 };
      this.#shares.set(key, share);
    } else if (share.count === 0) share.tag = Math.max(share.tag, this.#virtualTime);
    share.count += 1;
    share.queuedMs += costMs;
    this.#count += 1;
  }

  /** Removes a piece of work that was not served. */
  remove(key: string, costMs: number): void {
    this.#take(key, costMs);
    if (this.#count === 0) this.#shares.clear();
  }

  /** The key to serve next; undefined when no work is queued. */
  next(): string | undefined {
    let first: string | undefined;
    let least = Number.POSITIVE_INFINITY;
    for (const [key, { tag, count }] of this.#shares) {
      if (count > 0 && tag < least) {
        first = key;
        least = tag;
      }
    }
    return first;
  }

  /** Serves a piece of work of this key, which must be the next one. */
  serve(key: string, costMs: number): void {
    const share = this.#take(key, costMs);
    this.#virtualTime = Math.max(this.#virtualTime, share.tag);
    share.tag += costMs / this.#weightOf(key);
    // An empty queue needs no state; otherwise idle keys whose tag has passed are removed, as they would start anew anyway.
    if (this.#count === 0) this.#shares.clear();
    else this.#removeIdle();
  }

  /**
   * Milliseconds of work of other keys that is served before new work of `key` with `ownMs` of its own work before it.
   * The error is at most one piece of work for each other key.
   */
  aheadMs(key: string, ownMs: number): number {
    const own = this.#shares.get(key);
    const start = Math.max(own?.tag ?? 0, this.#virtualTime) + ownMs / this.#weightOf(key);
    let ahead = 0;
    for (const [other, { tag, count, queuedMs }] of this.#shares) {
      if (other === key || count === 0 || tag > start) continue;
      // With equal tags the piece at `start` is served first.
      ahead += Math.min(queuedMs, (start - tag) * this.#weightOf(other) + queuedMs / count);
    }
    return ahead;
  }

  /** Milliseconds of queued work of this key. */
  queuedMs(key: string): number {
    return this.#shares.get(key)?.queuedMs ?? 0;
  }

  #take(key: string, costMs: number): Share {
    const share = this.#shares.get(key);
    if (share === undefined || share.count === 0) throw new RangeError(`${key} has no queued work`);
    share.count -= 1;
    // Floating-point sums may not return to exactly zero.
    share.queuedMs = share.count === 0 ? 0 : Math.max(0, share.queuedMs - costMs);
    this.#count -= 1;
    return share;
  }

  #removeIdle(): void {
    for (const [key, { tag, count }] of this.#shares)
      if (count === 0 && tag <= this.#virtualTime) this.#shares.delete(key);
  }
}
