/** A part of something bounded that somebody holds. The share itself keeps count of `amount`. */
export interface Allocation {
  /** Who holds it: shares are counted by this. */
  readonly holder: string;
  /** How much it is; 0 for a new one. */
  amount: number;
  /** Takes it back from the holder: must give it up before it returns. Undefined: it is held until it is given up. */
  evict?(): void;
}

/**
 * Divides something bounded among its holders. One that is alone may hold all of it. When it runs out, a holder that has
 * less than an equal share gets more, from those that hold most; one that has its share is refused. What cannot be taken
 * back is not waited for: a holder below its share then gets it on top, up to twice the limit in all.
 */
export class FairShare {
  readonly #limit: number;
  readonly #holdings: () => Iterable<Allocation>;
  /** What each holder has in all. */
  readonly #holders = new Map<string, number>();
  #total = 0;

  /** `holdings` are those that can be taken back, the oldest first; they are asked for when the limit is reached. */
  constructor(limit: number, holdings: () => Iterable<Allocation> = () => []) {
    this.#limit = limit;
    this.#holdings = holdings;
  }

  /** What is held in all. */
  get total(): number {
    return this.#total;
  }

  /** Adds to a holding, which may be a new one; false when it is refused, and nothing has changed. */
  take(holding: Allocation, amount: number): boolean {
    if (this.#total + amount > this.#limit && !this.#makeRoom(holding, amount)) return false;
    const held = this.#holders.get(holding.holder);
    if (held === undefined) this.#prune();
    this.#holders.set(holding.holder, (held ?? 0) + amount);
    holding.amount += amount;
    this.#total += amount;
    return true;
  }

  /** Gives up all of a holding. */
  give(holding: Allocation): void {
    const { amount } = holding;
    if (amount === 0) return;
    this.#holders.set(holding.holder, (this.#holders.get(holding.holder) ?? 0) - amount);
    holding.amount = 0;
    this.#total -= amount;
  }

  #makeRoom({ holder: name }: Allocation, amount: number): boolean {
    const own = this.#holders.get(name) ?? 0;
    const others = [...this.#holders].filter(([other, held]) => other !== name && held > 0).length;
    const share = this.#limit / (others + 1);
    if (own + amount > share) return false;
    while (this.#total + amount > this.#limit) {
      const largest = this.#largestOver(share);
      if (largest === undefined) return this.#total + amount <= 2 * this.#limit;
      largest.evict?.();
      if (largest.amount > 0) throw new TypeError("a holding that was evicted has not been given up");
    }
    return true;
  }

  /** The largest holding that can be taken back of the holder that has most, if that is more than a share. */
  #largestOver(share: number): Allocation | undefined {
    let largest: Allocation | undefined;
    for (const holding of this.#holdings()) {
      const held = this.#holders.get(holding.holder) ?? 0;
      if (holding.evict === undefined || holding.amount === 0 || held <= share) continue;
      const most = largest === undefined ? 0 : (this.#holders.get(largest.holder) ?? 0);
      if (held > most || (held === most && holding.amount > (largest?.amount ?? 0))) largest = holding;
    }
    return largest;
  }

  /** Holders stay when they hold nothing any more, for most come again; now and then those go. */
  #prune(): void {
    if (this.#holders.size < MAX_IDLE_HOLDERS) return;
    for (const [name, held] of this.#holders) if (held === 0) this.#holders.delete(name);
  }
}

const MAX_IDLE_HOLDERS = 1000;
