import type { Database } from "./database.ts";

/**
 * The users whose memories calls have changed since their last compaction. Separate from EmbeddedCompactionStore, because
 * writes of memories add to them.
 */
export class ChangedScopes {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Counts the write of one memory. Only inside a write. */
  add(namespaceId: number, userId: string, now: number): void {
    this.#database.run(
      `INSERT INTO changed_scope (namespace_id, user_id, since, changes) VALUES (?, ?, ?, 1)
       ON CONFLICT (namespace_id, user_id) DO UPDATE SET changes = changes + 1`,
      namespaceId,
      userId,
      now,
    );
  }
}
