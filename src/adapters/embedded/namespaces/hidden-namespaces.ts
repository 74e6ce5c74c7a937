import { withinBytes } from "../../../domain/page-token.ts";
import type { Database, Written } from "../database/database.ts";
import { type DeleteStep, inSteps } from "../database/delete-steps.ts";
import type { KeywordIndex } from "../keywords/keyword-index.ts";
import { termBytes } from "../keywords/terms.ts";

/** The tenant of hidden namespaces; no caller has it. */
export const HIDDEN_TENANT = "";

/** Tables whose rows are deleted by key, with that key. Memories are not among them: their terms are removed too. */
const OTHERS = [
  { table: "memory_revision", key: "namespace_id, id, number" },
  { table: "cache_entry", key: "row" },
  { table: "cache_remembered", key: "row" },
  { table: "memory_change", key: "namespace_id, sequence" },
  { table: "session", key: "namespace_id, session_id" },
  { table: "request", key: "namespace_id, key" },
  { table: "compaction_group", key: "row" },
  { table: "compaction_run", key: "row" },
  { table: "changed_scope", key: "row" },
] as const;

/**
 * Deleted namespaces that are too large to be removed in one transaction, at all or on a full disk. They are hidden in one small
 * transaction: from then on they are not found. Their rows are then removed in steps; after a crash, the next start
 * continues.
 */
export class HiddenNamespaces {
  readonly #database: Database;
  readonly #keywords: KeywordIndex;

  constructor(database: Database, keywords: KeywordIndex) {
    this.#database = database;
    this.#keywords = keywords;
  }

  /** Only inside a write. */
  hide(namespaceId: number): void {
    this.#database.run(
      "UPDATE namespace SET tenant = ?, name = ? WHERE namespace_id = ?",
      HIDDEN_TENANT,
      String(namespaceId),
      namespaceId,
    );
  }

  /** Removes all hidden namespaces, until `isStopped`. Rejects when that fails; the rest stays hidden. */
  async clear(isStopped: () => boolean): Promise<void> {
    const hidden = this.#database.all(
      // By tenant and name, so that a damaged row is not taken for a hidden namespace.
      "SELECT namespace_id FROM namespace WHERE tenant = ? AND name = CAST(namespace_id AS TEXT)",
      HIDDEN_TENANT,
    );
    for (const row of hidden) {
      const namespaceId = Number(row["namespace_id"]);
      await inSteps(async (most) => isStopped() || (await this.#removeMemories(namespaceId, most)));
      for (const { table, key } of OTHERS) {
        await inSteps(
          async ({ rows }) => isStopped() || (await this.#removeRows(table, key, namespaceId, rows)),
        );
      }
      if (isStopped()) return;
      await this.#delete(() => {
        this.#database.run("DELETE FROM namespace WHERE namespace_id = ?", namespaceId);
        return true;
      });
    }
  }

  /** True when none is left. */
  #removeMemories(namespaceId: number, most: DeleteStep): Promise<boolean> {
    return this.#delete(() => {
      const found = this.#database.all(
        "SELECT row, term_count FROM memory WHERE namespace_id = ? LIMIT ?",
        namespaceId,
        most.rows,
      );
      const rows = withinBytes(found, termBytes, most.bytes);
      for (const { row, term_count: terms } of rows) {
        this.#keywords.remove(Number(row));
        this.#database.run("DELETE FROM memory WHERE row = ?", Number(row));
        this.#database.run(
          "UPDATE namespace SET memory_count = memory_count - 1, term_count = term_count - ? WHERE namespace_id = ?",
          Number(terms),
          namespaceId,
        );
      }
      return found.length < most.rows && rows.length === found.length;
    });
  }

  #removeRows(table: string, key: string, namespaceId: number, limit: number): Promise<boolean> {
    return this.#delete(() => {
      const rows = `SELECT ${key} FROM ${table} WHERE namespace_id = ? LIMIT ?`;
      this.#database.run(`DELETE FROM ${table} WHERE (${key}) IN (${rows})`, namespaceId, limit);
      const left = this.#database.first(`SELECT 1 FROM ${table} WHERE namespace_id = ? LIMIT 1`, namespaceId);
      return left === undefined;
    });
  }

  #delete(step: () => boolean): Promise<boolean> {
    return this.#database.write((): Written<boolean> => ({ result: step() }), { deletes: true });
  }
}
