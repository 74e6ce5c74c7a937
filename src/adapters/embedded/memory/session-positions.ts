import type { Memory } from "../../../domain/memory/memory.ts";
import type { Database } from "../database/database.ts";

/** Assigns the positions of memories in their sessions, from 1 on; 0 without a session. All methods only inside a write. */
export class SessionPositions {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  next(namespaceId: number, sessionId: string): number {
    if (sessionId === "") return 0;
    const row = this.#database.first(
      `INSERT INTO session (namespace_id, session_id, last_position) VALUES (?, ?, 1)
       ON CONFLICT DO UPDATE SET last_position = last_position + 1 RETURNING last_position`,
      namespaceId,
      sessionId,
    );
    return Number(row?.["last_position"]);
  }

  /** The position that an imported memory had, if no other unexpired memory has it; else the next one. */
  imported(namespaceId: number, { sessionId, sessionPosition }: Memory, now: number): number {
    if (sessionId === "") return 0;
    const isFree =
      sessionPosition > 0 &&
      this.#database.first(
        `SELECT 1 FROM memory WHERE namespace_id = ? AND session_id = ? AND session_position = ?
         AND (expire_time IS NULL OR expire_time > ?)`,
        namespaceId,
        sessionId,
        sessionPosition,
        now,
      ) === undefined;
    if (!isFree) return this.next(namespaceId, sessionId);
    this.#database.run(
      `INSERT INTO session (namespace_id, session_id, last_position) VALUES (?, ?, ?)
       ON CONFLICT DO UPDATE SET last_position = max(last_position, excluded.last_position)`,
      namespaceId,
      sessionId,
      sessionPosition,
    );
    return sessionPosition;
  }
}
