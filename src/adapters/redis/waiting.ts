/** Later than any clock says: what is refused is not due until somebody says so. */
export const NEVER = Number.MAX_SAFE_INTEGER;

/** Who wants to hear that memories wait for a vector. */
export class WaitingListeners {
  readonly #listeners = new Set<() => void>();

  /** To be called when memories that wait can be read. */
  announce(): void {
    for (const listener of this.#listeners) listener();
  }

  onAnnounced(listener: () => void): void {
    this.#listeners.add(listener);
  }
}
