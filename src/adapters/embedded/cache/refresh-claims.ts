/** Expired claims are removed when there are so many. */
const MANY = 1024;

/**
 * Which entries a caller refreshes, by row. In memory: one process has the file, and after a restart another caller may
 * refresh the same entry.
 */
export class RefreshClaims {
  readonly #until = new Map<number, number>();

  /** True for the first caller, until `until` has passed or the row changes. */
  claim(row: number, { now, until }: { readonly now: number; readonly until: number }): boolean {
    if ((this.#until.get(row) ?? 0) > now) return false;
    if (this.#until.size >= MANY) this.#removeExpired(now);
    this.#until.set(row, until);
    return true;
  }

  end(row: number): void {
    this.#until.delete(row);
  }

  #removeExpired(now: number): void {
    for (const [row, until] of this.#until) if (until <= now) this.#until.delete(row);
  }
}
