import type { Log } from "../../../ports/log.ts";
import type { Database } from "../database/database.ts";
import { KeywordTables } from "./keyword-tables.ts";
import { KEYWORDS, spellTerms } from "./terms.ts";

/**
 * The keyword index. Its terms are in a table of FTS5, from which the tables in memory are filled that answer searches.
 */
export class KeywordIndex {
  /** Changed after each write that is on disk. */
  readonly tables: KeywordTables;
  readonly #database: Database;
  /** The tables on disk that get writes: the one that is read, and its replacement during a rebuild. */
  #written: readonly string[] = [KEYWORDS];

  constructor(database: Database, log: Log) {
    this.#database = database;
    this.tables = new KeywordTables(database, log);
  }

  /** Only inside a write. */
  add(namespaceId: number, row: number, terms: readonly string[]): void {
    const spelled = spellTerms(namespaceId, terms);
    for (const table of this.#written) {
      this.#database.run(`INSERT INTO ${table} (rowid, terms) VALUES (?, ?)`, row, spelled);
    }
  }

  /** Only inside a write. */
  remove(row: number): void {
    for (const table of this.#written) this.#database.run(`DELETE FROM ${table} WHERE rowid = ?`, row);
  }

  /** Removes the terms of a namespace, before its memories are deleted. Only inside a write. */
  removeNamespace(namespaceId: number): void {
    for (const table of this.#written) {
      this.#database.run(
        `DELETE FROM ${table} WHERE rowid IN (SELECT row FROM memory WHERE namespace_id = ?)`,
        namespaceId,
      );
    }
  }

  /** Sets a second table that gets every write from now on; undefined: none. */
  alsoWriteTo(table: string | undefined): void {
    this.#written = table === undefined ? [KEYWORDS] : [KEYWORDS, table];
  }
}
