import type { Database } from "./database.ts";

/** Later than any clock says: what is refused is not due until somebody says so. Half of what a number counts exactly. */
export const NEVER = 2 ** 52;

/** When what is refused now is due: never, and in the order of the refusals. */
export function neverDue(now: number): number {
  return NEVER + now;
}

/** When it was refused; undefined for rows of earlier versions, which kept no time. */
export function refuseTimeOf(dueTime: number): number | undefined {
  return dueTime === Number.MAX_SAFE_INTEGER ? undefined : dueTime - NEVER;
}

/**
 * The rows of memories that wait for a vector. They hang on their memories and go with them. Apart from
 * EmbeddedBacklog, because the memory store adds to them in its own writes.
 */
export class WaitingRows {
  readonly #database: Database;
  readonly #listeners = new Set<() => void>();

  constructor(database: Database) {
    this.#database = database;
  }

  /** Only inside a write. */
  add(row: number, { since, refused }: { readonly since: number; readonly refused: boolean }): void {
    this.#database.run(
      "INSERT INTO memory_waiting (row, since, due_time, attempts, refused) VALUES (?, ?, ?, 0, ?)",
      row,
      since,
      refused ? neverDue(since) : since,
      refused ? 1 : 0,
    );
  }

  /** To be called when rows that were added are on disk. */
  announce(): void {
    for (const listener of this.#listeners) listener();
  }

  onAnnounced(listener: () => void): void {
    this.#listeners.add(listener);
  }
}
