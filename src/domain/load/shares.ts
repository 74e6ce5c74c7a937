/** What one key has asked for and got. */
interface Share {
  /** Start tag of its next piece of work. */
  tag: number;
  /** Pieces of work that wait, and the time that they are expected to take, in milliseconds. */
  count: number;
  queuedMs: number;
}

/**
 * Whose turn it is: start-time fair queueing (Goyal, Vin and Cheng, 1996, https://doi.org/10.1145/248156.248171). Each
 * key that has work gets a share of the time by its weight, whatever the others ask for; what one leaves goes to the
 * others. A key's next piece of work is tagged with the virtual time at which it would start if all keys were served at once;
 * the smallest tag is served, and the virtual time is that tag. A key that had nothing to do begins at the virtual time
 * of now: it is owed nothing for the time before.
 */
export class Shares {
  readonly #shares = new Map<string, Share>();
  readonly #weightOf: (key: string) => number;
  #virtualTime = 0;
  /** Pieces of work that wait, of all keys. */
  #count = 0;

  /** `weightOf`: keys get time in proportion to it; all the same unless it is said. */
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

  /** A piece of work goes without having been served. */
  remove(key: string, costMs: number): void {
    this.#take(key, costMs);
    if (this.#count === 0) this.#shares.clear();
  }

  /** The key whose turn it is; undefined when no work waits. */
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

  /** A piece of work of this key, whose turn it is, is served. */
  serve(key: string, costMs: number): void {
    const share = this.#take(key, costMs);
    this.#virtualTime = Math.max(this.#virtualTime, share.tag);
    share.tag += costMs / this.#weightOf(key);
    // With nothing left to do, nothing is owed to anybody; else keys are forgotten that have had no more than others.
    if (this.#count === 0) this.#shares.clear();
    else this.#forget();
  }

  /**
   * Milliseconds of the work of other keys that is served before work of `key` that has `ownMs` of its own before it.
   * At most one piece of each of them off.
   */
  aheadMs(key: string, ownMs: number): number {
    const own = this.#shares.get(key);
    const start = Math.max(own?.tag ?? 0, this.#virtualTime) + ownMs / this.#weightOf(key);
    let ahead = 0;
    for (const [other, { tag, count, queuedMs }] of this.#shares) {
      if (other === key || count === 0 || tag > start) continue;
      // The piece at `start` itself goes first where tags are equal.
      ahead += Math.min(queuedMs, (start - tag) * this.#weightOf(other) + queuedMs / count);
    }
    return ahead;
  }

  /** Milliseconds of the waiting work of this key. */
  queuedMs(key: string): number {
    return this.#shares.get(key)?.queuedMs ?? 0;
  }

  #take(key: string, costMs: number): Share {
    const share = this.#shares.get(key);
    if (share === undefined || share.count === 0) throw new RangeError(`${key} has no work that waits`);
    share.count -= 1;
    // Sums of fractions do not come out at zero by themselves.
    share.queuedMs = share.count === 0 ? 0 : Math.max(0, share.queuedMs - costMs);
    this.#count -= 1;
    return share;
  }

  #forget(): void {
    for (const [key, { tag, count }] of this.#shares)
      if (count === 0 && tag <= this.#virtualTime) this.#shares.delete(key);
  }
}
