/** In which partition a key, or the name of an index, lies. Names of indexes say so on a cluster alone. */
const PARTITION = /\{p(\d+)\}/;

/** Holds the commands of the stores back while StoreIdentity finds out whether a partition is still the same. */
export class Gate {
  /** By partition: what its commands wait for; absent: it is open. */
  readonly #closed = new Map<number, Promise<void>>();

  /** For all partitions. */
  get isOpen(): boolean {
    return this.#closed.size === 0;
  }

  /** Undefined: open. The promise rejects with why a command is refused. */
  closedFor(key: string | undefined): Promise<void> | undefined {
    if (this.#closed.size === 0) return undefined;
    const [, number = "0"] = PARTITION.exec(key ?? "") ?? [];
    return this.#closed.get(Number(number));
  }

  /** Lets commands about these partitions wait for this. */
  close(partitions: Iterable<number>, until: Promise<void>): void {
    // A command that waits rejects with it; without one it is no unhandled rejection.
    until.catch(() => undefined);
    for (const partition of partitions) this.#closed.set(partition, until);
  }

  open(partitions: Iterable<number>): void {
    for (const partition of partitions) this.#closed.delete(partition);
  }
}
