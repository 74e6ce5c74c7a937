/** Later than any clock says: a refused text is not due until an operator retries it. As in memory-library.lua. */
export const NEVER = 2 ** 52;

/** The due time of a text that is refused now: never, in the order of the refusals. */
export function neverDue(now: number): number {
  return NEVER + now;
}

/** When it was refused; undefined for entries of earlier versions, which kept no time. */
export function refuseTimeOf(dueTime: number): number | undefined {
  return dueTime === Number.MAX_SAFE_INTEGER ? undefined : dueTime - NEVER;
}

/** Listeners for new pending memories of this process. */
export class PendingListeners {
  readonly #listeners = new Set<() => void>();

  /** To be called when pending memories can be read. */
  notify(): void {
    for (const listener of this.#listeners) listener();
  }

  onPending(listener: () => void): void {
    this.#listeners.add(listener);
  }
}
