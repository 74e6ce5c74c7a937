/** Finds the partition of a key, or of an index name. Names of indexes hold it on a cluster only. */
const PARTITION = /\{p(\d+)\}/;

/** Blocks the commands of the stores while StoreIdentity verifies a partition. */
export class Gate {
  /** By partition: the promise that its commands wait for; absent: open. */
  readonly #closed = new Map<number, Promise<void>>();

  /** Whether it is open for all partitions. */
  get isOpen(): boolean {
    return this.#closed.size === 0;
  }

  /** Undefined: open. The promise rejects with the reason of a refusal. */
  closedFor(key: string | undefined): Promise<void> | undefined {
    if (this.#closed.size === 0) return undefined;
    const [, number = "0"] = PARTITION.exec(key ?? "") ?? [];
    return this.#closed.get(Number(number));
  }

  /** Makes the commands of these partitions wait for `until`. */
  close(partitions: Iterable<number>, until: Promise<void>): void {
    // Waiting commands reject with it; without any, it must not be an unhandled rejection.
    until.catch(() => undefined);
    for (const partition of partitions) this.#closed.set(partition, until);
  }

  open(partitions: Iterable<number>): void {
    for (const partition of partitions) this.#closed.delete(partition);
  }
}
