/** A part of something bounded that somebody holds. The share itself keeps count of `amount`. */
export interface Holding {
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
  readonly #holders = new Map<string, Holder>();
  #total = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** What is held in all. */
  get total(): number {
    return this.#total;
  }

  /** Adds to a holding, which may be a new one; false when it is refused, and nothing has changed. */
  take(holding: Holding, amount: number): boolean {
    if (this.#total + amount > this.#limit && !this.#makeRoom(holding, amount)) return false;
    let holder = this.#holders.get(holding.holder);
    if (holder === undefined) {
      holder = { total: 0, evictable: new Set() };
      this.#prune();
      this.#holders.set(holding.holder, holder);
    }
    if (holding.amount === 0 && holding.evict !== undefined) holder.evictable.add(holding);
    holder.total += amount;
    holding.amount += amount;
    this.#total += amount;
    return true;
  }

  /** Gives up all of a holding. */
  give(holding: Holding): void {
    const { amount } = holding;
    const holder = this.#holders.get(holding.holder);
    if (amount === 0 || holder === undefined) return;
    if (holding.evict !== undefined) holder.evictable.delete(holding);
    holder.total -= amount;
    holding.amount = 0;
    this.#total -= amount;
  }

  #makeRoom({ holder: name }: Holding, amount: number): boolean {
    const own = this.#holders.get(name)?.total ?? 0;
    const others = [...this.#holders].filter(([other, { total }]) => other !== name && total > 0);
    const share = this.#limit / (others.length + 1);
    if (own + amount > share) return false;
    while (this.#total + amount > this.#limit) {
      const largest = largestOf(
        others.map(([, holder]) => holder),
        share,
      );
      if (largest === undefined) return this.#total + amount <= 2 * this.#limit;
      largest.evict?.();
      if (largest.amount > 0) throw new TypeError("a holding that was evicted has not been given up");
    }
    return true;
  }

  /** Holders stay when they hold nothing any more, for most come again; now and then those go. */
  #prune(): void {
    if (this.#holders.size < MAX_IDLE_HOLDERS) return;
    for (const [name, { total }] of this.#holders) if (total === 0) this.#holders.delete(name);
  }
}

const MAX_IDLE_HOLDERS = 1000;

interface Holder {
  total: number;
  /** What can be taken back; the oldest first. */
  readonly evictable: Set<Holding>;
}

/** The largest holding that can be taken back of the holder that has most, if that is more than a share. */
function largestOf(holders: readonly Holder[], share: number): Holding | undefined {
  const most = holders.filter(({ total }) => total > share).sort((one, other) => other.total - one.total);
  for (const { evictable } of most) {
    let largest: Holding | undefined;
    for (const holding of evictable) {
      if (holding.amount > (largest?.amount ?? 0)) largest = holding;
    }
    if (largest !== undefined) return largest;
  }
  return undefined;
}
