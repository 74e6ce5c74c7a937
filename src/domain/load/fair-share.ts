/** An allocated part of a bounded resource. FairShare sets `amount`. */
export interface Allocation {
  /** Shares are counted by owner. */
  readonly owner: string;
  /** Its size; 0 for a new one. */
  amount: number;
  /** Evicts it: must call `release` before it returns. Undefined: it cannot be evicted. */
  evict?(): void;
}

/**
 * Divides a bounded resource among its owners. A single owner may have all of it. When it runs out, an owner with less
 * than an equal share gets more, by eviction from the owners with most; an owner with its share or more is refused. When
 * nothing can be evicted, an owner below its share may exceed the limit, up to twice the limit in all.
 */
export class FairShare {
  readonly #limit: number;
  readonly #evictable: () => Iterable<Allocation>;
  /** The total of each owner. */
  readonly #owners = new Map<string, number>();
  #total = 0;

  /** `evictable`: allocations that may be evicted, the oldest first; called when the limit is reached. */
  constructor(limit: number, evictable: () => Iterable<Allocation> = () => []) {
    this.#limit = limit;
    this.#evictable = evictable;
  }

  /** The sum of all allocations. */
  get total(): number {
    return this.#total;
  }

  /** Adds to an allocation, which may be a new one; false when it is refused, and nothing has changed. */
  allocate(allocation: Allocation, amount: number): boolean {
    if (this.#total + amount > this.#limit && !this.#makeRoom(allocation, amount)) return false;
    const owned = this.#owners.get(allocation.owner);
    if (owned === undefined) this.#prune();
    this.#owners.set(allocation.owner, (owned ?? 0) + amount);
    allocation.amount += amount;
    this.#total += amount;
    return true;
  }

  /** Releases all of an allocation. */
  release(allocation: Allocation): void {
    const { amount } = allocation;
    if (amount === 0) return;
    this.#owners.set(allocation.owner, (this.#owners.get(allocation.owner) ?? 0) - amount);
    allocation.amount = 0;
    this.#total -= amount;
  }

  #makeRoom({ owner: name }: Allocation, amount: number): boolean {
    const own = this.#owners.get(name) ?? 0;
    const others = [...this.#owners].filter(([other, owned]) => other !== name && owned > 0).length;
    const share = this.#limit / (others + 1);
    if (own + amount > share) return false;
    while (this.#total + amount > this.#limit) {
      const largest = this.#largestOver(share);
      if (largest === undefined) return this.#total + amount <= 2 * this.#limit;
      largest.evict?.();
      if (largest.amount > 0) throw new TypeError("an evicted allocation has not been released");
    }
    return true;
  }

  /** The largest evictable allocation of the owner with most, if that owner has more than a share. */
  #largestOver(share: number): Allocation | undefined {
    let largest: Allocation | undefined;
    for (const allocation of this.#evictable()) {
      const owned = this.#owners.get(allocation.owner) ?? 0;
      if (allocation.evict === undefined || allocation.amount === 0 || owned <= share) continue;
      const most = largest === undefined ? 0 : (this.#owners.get(largest.owner) ?? 0);
      if (owned > most || (owned === most && allocation.amount > (largest?.amount ?? 0)))
        largest = allocation;
    }
    return largest;
  }

  /** Owners without an allocation stay in the map, because most return; they are removed when there are many. */
  #prune(): void {
    if (this.#owners.size < MAX_OWNERS) return;
    for (const [name, owned] of this.#owners) if (owned === 0) this.#owners.delete(name);
  }
}

const MAX_OWNERS = 1000;
