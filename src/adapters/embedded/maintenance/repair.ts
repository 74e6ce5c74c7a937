import type { DatabaseSync } from "node:sqlite";
import { KEYWORD_TREES } from "./file-check.ts";

/**
 * Rebuilding damaged indexes. REINDEX and DROP INDEX read the old pages to free them and fail at a damaged one, so the
 * new index is built beside the old one and replaces it in the schema; the old pages stay in the file, unused
 * (https://www.sqlite.org/pragma.html#pragma_writable_schema).
 */

/** Rebuilds an index from its table. Throws, with nothing changed, when that fails. */
export function replaceIndex(sqlite: DatabaseSync, name: string): void {
  const row = sqlite
    .prepare("SELECT tbl_name, sql FROM sqlite_schema WHERE type = 'index' AND name = ?")
    .get(name);
  if (row === undefined) throw new Error(`there is no index ${name}`);
  const sql = row["sql"];
  const make =
    typeof sql === "string"
      ? sql.replace(name, replacementOf(name))
      : // The index of a UNIQUE constraint has no CREATE statement.
        `CREATE UNIQUE INDEX ${replacementOf(name)} ON "${String(row["tbl_name"])}" (${columnsOf(sqlite, name)})`;
  changeSchema(sqlite, () => replaceTree(sqlite, name, make));
}

/** Rebuilds the derived tables of FTS5 from the terms. Throws, with nothing changed, when that fails. */
export function rebuildKeywords(sqlite: DatabaseSync): void {
  changeSchema(
    sqlite,
    () => {
      for (const name of KEYWORD_TREES) {
        const row = sqlite
          .prepare("SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?")
          .get(name);
        replaceTree(sqlite, name, String(row?.["sql"]).replace(name, replacementOf(name)));
      }
    },
    () => sqlite.exec("INSERT INTO memory_terms (memory_terms) VALUES ('rebuild')"),
  );
}

/** Removes an FTS5 table from the schema when it is too damaged to be dropped. Its pages stay in the file, unused. */
export function removeKeywordTable(sqlite: DatabaseSync, name: string): void {
  changeSchema(sqlite, () => {
    sqlite.prepare("DELETE FROM sqlite_schema WHERE name = ? OR name GLOB ?").run(name, `${name}_*`);
  });
}

function replacementOf(name: string): string {
  return `replacement_of_${name}`;
}

function columnsOf(sqlite: DatabaseSync, index: string): string {
  const columns = sqlite.prepare(`PRAGMA index_info("${index}")`).all();
  return columns.map((row) => `"${String(row["name"])}"`).join(", ");
}

/** Gives the new B-tree the name of the old one, which no table references any more. */
function replaceTree(sqlite: DatabaseSync, name: string, make: string): void {
  sqlite.exec(make);
  sqlite
    .prepare(
      "UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = ?) WHERE name = ?",
    )
    .run(replacementOf(name), name);
  sqlite.prepare("DELETE FROM sqlite_schema WHERE name = ?").run(replacementOf(name));
}

/** `afterwards` runs in the same transaction with the changed schema. */
function changeSchema(
  sqlite: DatabaseSync,
  work: () => void,
  afterwards: () => void = () => undefined,
): void {
  sqlite.enableDefensive(false);
  try {
    sqlite.exec("PRAGMA writable_schema = ON; BEGIN IMMEDIATE");
    work();
    // Makes the schema read-only again and reloads it.
    sqlite.exec("PRAGMA writable_schema = RESET");
    afterwards();
    sqlite.exec("COMMIT");
  } finally {
    if (sqlite.isTransaction) sqlite.exec("ROLLBACK");
    sqlite.exec("PRAGMA writable_schema = RESET");
    sqlite.enableDefensive(true);
  }
}
