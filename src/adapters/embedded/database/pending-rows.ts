import { neverDue } from "../../../domain/embedding/due-time.ts";
import { Listeners } from "../../../lib/listeners.ts";
import type { Database } from "./database.ts";

/**
 * The rows of memories without a vector. They are deleted with their memories. Separate from EmbeddedEmbeddingQueue,
 * because writes of memories add rows too.
 */
export class PendingRows {
  /** Call after added rows are on disk. */
  readonly added = new Listeners();
  readonly #database: Database;

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
}
