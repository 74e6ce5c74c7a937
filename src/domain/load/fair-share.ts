/** A part of something bounded that somebody holds. */
export interface Holding {
  /** Who holds it: shares are counted by this. */
  readonly holder: string;
  /** Takes it back from the holder: must give it up before it returns. Undefined: it is held until it is given up. */
  readonly evict?: () => void;
}

/**
 * Divides something bounded among its holders. One that is alone may hold all of it. When it runs out, a holder that has
 * less than an equal share gets more, from those that hold most; one that has its share is refused. What cannot be taken
 * back is waited for by nobody: a holder below its share then gets it on top, up to twice the limit in all.
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
      holder = { total: 0, holdings: new Map() };
      this.#holders.set(holding.holder, holder);
    }
    holder.total += amount;
    holder.holdings.set(holding, (holder.holdings.get(holding) ?? 0) + amount);
    this.#total += amount;
    return true;
  }

  /** Gives up all of a holding. */
  give(holding: Holding): void {
    const holder = this.#holders.get(holding.holder);
    const amount = holder?.holdings.get(holding);
    if (holder === undefined || amount === undefined) return;
    holder.holdings.delete(holding);
    holder.total -= amount;
    this.#total -= amount;
    if (holder.holdings.size === 0) this.#holders.delete(holding.holder);
  }

  #makeRoom({ holder: name }: Holding, amount: number): boolean {
    const own = this.#holders.get(name);
    const share = this.#limit / (this.#holders.size + (own === undefined ? 1 : 0));
    if ((own?.total ?? 0) + amount > share) return false;
    while (this.#total + amount > this.#limit) {
      const largest = largestOf(this.#holders, share);
      if (largest === undefined) return this.#total + amount <= 2 * this.#limit;
      const before = this.#total;
      largest.evict?.();
      if (this.#total >= before) throw new TypeError("a holding that was evicted has not been given up");
    }
    return true;
  }
}

interface Holder {
  total: number;
  /** With what each of them holds; the oldest first. */
  readonly holdings: Map<Holding, number>;
}

/** The largest holding that can be taken back of the holder that has most, if that is more than a share. */
function largestOf(holders: ReadonlyMap<string, Holder>, share: number): Holding | undefined {
  const most = [...holders.values()]
    .filter(({ total }) => total > share)
    .sort((one, other) => other.total - one.total);
  for (const { holdings } of most) {
    let largest: Holding | undefined;
    let amount = 0;
    for (const [holding, held] of holdings) {
      if (holding.evict !== undefined && held > amount) [largest, amount] = [holding, held];
    }
    if (largest !== undefined) return largest;
  }
  return undefined;
}
