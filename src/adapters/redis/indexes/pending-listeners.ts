/** Later than any clock says: what is refused is not due until somebody says so. As in lua/memory.lua. */
export const NEVER = 2 ** 52;

/** When what is refused now is due: never, and in the order of the refusals. */
export function neverDue(now: number): number {
  return NEVER + now;
}

/** When it was refused; undefined for entries of earlier versions, which kept no time. */
export function refuseTimeOf(dueTime: number): number | undefined {
  return dueTime === Number.MAX_SAFE_INTEGER ? undefined : dueTime - NEVER;
}

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
