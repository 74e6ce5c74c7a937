import { indexedText } from "../../../domain/memory/memory.ts";
import { withinBytes } from "../../../domain/page-token.ts";
import { termsOf } from "../../../domain/text/terms.ts";
import type { Database, Row, Written } from "../database/database.ts";
import { isDamage, recordOf } from "../embedding/pending-memory.ts";
import type { KeywordIndex } from "../keywords/keyword-index.ts";
import { KEYWORDS, spellTerms } from "../keywords/terms.ts";
import { removeKeywordTable } from "./repair.ts";

/**
 * The rebuild of the keyword index. FTS5's own `rebuild` is one statement that blocks the process until it ends; here a
 * second table is filled beside the first in short transactions, and one transaction swaps their names. An interrupted
 * rebuild leaves the first table unchanged; `removeRebuildTables` removes the second.
 */

/** The new table during a rebuild, and the replaced one after it. */
const NEXT = "memory_terms_next";
const OLD = "memory_terms_old";
const CREATE = `CREATE VIRTUAL TABLE ${NEXT} USING fts5 (terms, tokenize = 'ascii')`;

/** Memories indexed in one transaction, and the most terms that they have together: some milliseconds. */
const STEP = 50;
const STEP_CHARACTERS = 64 * 1024;
/** Rows of FTS5's own tables removed in one transaction. */
const CLEAR_STEP = 200;
/** FTS5's shadow tables that grow with the index. */
const SHADOWS = ["content", "docsize", "data", "idx"];

interface Copied {
  readonly count: number;
  /** The last row of the step; undefined when no row is left. */
  readonly last: number | undefined;
}

/**
 * Rebuilds the index from the stored terms, or from the text of a memory that has lost them, and yields how many
 * memories are indexed. Call `removeRebuildTables` first.
 */
export async function* rebuildKeywordIndex(
  database: Database,
  keywords: KeywordIndex,
  signal: AbortSignal,
): AsyncGenerator<number> {
  try {
    const end = await begin(database, keywords);
    let count = 0;
    for (let after: number | undefined = 0; after !== undefined; ) {
      signal.throwIfAborted();
      const copied: Copied = await copyStep(database, after, end);
      count += copied.count;
      after = copied.last;
      yield count;
    }
    await database.write(
      (): Written<void> => {
        database.run(`ALTER TABLE ${KEYWORDS} RENAME TO ${OLD}`);
        database.run(`ALTER TABLE ${NEXT} RENAME TO ${KEYWORDS}`);
        // At once: later writes of the same transaction go to one table again.
        keywords.alsoWriteTo(undefined);
        return { result: undefined };
      },
      { onUndone: () => keywords.alsoWriteTo(NEXT) },
    );
  } finally {
    keywords.alsoWriteTo(undefined);
  }
}

/** Creates the empty table and resolves with the last row; later rows are written to both tables. */
function begin(database: Database, keywords: KeywordIndex): Promise<number> {
  return database.write(
    (): Written<number> => {
      database.run(CREATE);
      database.run(`INSERT INTO ${NEXT} (${NEXT}, rank) VALUES ('secure-delete', 1)`);
      const end = Number(database.first("SELECT max(row) AS row FROM memory")?.["row"] ?? 0);
      // Last, when nothing in this write can fail any more; later writes of the transaction go to both tables.
      keywords.alsoWriteTo(NEXT);
      return { result: end };
    },
    { onUndone: () => keywords.alsoWriteTo(undefined) },
  );
}

function copyStep(database: Database, after: number, end: number): Promise<Copied> {
  return database.write(
    (): Written<Copied> => {
      const found = database.all(
        `SELECT m.row, m.id, m.namespace_id, t.terms FROM memory m LEFT JOIN ${KEYWORDS} t ON t.rowid = m.row
         WHERE m.row > ? AND m.row <= ? ORDER BY m.row LIMIT ?`,
        after,
        end,
        STEP,
      );
      const rows = withinBytes(found, (row) => String(row["terms"]).length, STEP_CHARACTERS);
      for (const row of rows) {
        const terms = row["terms"] ?? recomputeTerms(database, row);
        if (terms !== undefined) {
          database.run(`INSERT INTO ${NEXT} (rowid, terms) VALUES (?, ?)`, row["row"] ?? null, terms);
        }
      }
      return { result: { count: rows.length, last: rows.at(-1)?.["row"] as number | undefined } };
    },
    { durable: false },
  );
}

/** The terms of a memory that has lost them; undefined when its text is damaged too. */
function recomputeTerms(database: Database, row: Row): string | undefined {
  try {
    const found = database.first("SELECT id, record FROM memory WHERE row = ?", row["row"] ?? null);
    if (found === undefined) return undefined;
    return spellTerms(Number(row["namespace_id"]), termsOf(indexedText(recordOf(found))));
  } catch (error) {
    if (!isDamage(error)) throw error;
    return undefined;
  }
}

/**
 * Removes the tables that a finished or interrupted rebuild leaves, in short transactions, until `isStopped`. Rejects
 * when that fails; the remaining tables are harmless.
 */
export async function removeRebuildTables(database: Database, isStopped: () => boolean): Promise<void> {
  for (const table of [NEXT, OLD]) {
    try {
      await removeTable(database, table, isStopped);
    } catch (error) {
      if (!isDamage(error)) throw error;
      // A damaged page cannot be freed.
      database.maintain((sqlite) => removeKeywordTable(sqlite, table));
    }
  }
}

async function removeTable(database: Database, table: string, isStopped: () => boolean): Promise<void> {
  if (isStopped()) return;
  if (database.first("SELECT 1 FROM sqlite_schema WHERE name = ?", table) === undefined) return;
  for (const name of SHADOWS) {
    let isLeft = true;
    while (isLeft) {
      isLeft = await removeRows(database, `${table}_${name}`);
      if (isStopped()) return;
    }
  }
  await database.write(() => ({ result: database.run(`DROP TABLE ${table}`) }), { deletes: true });
}

/** False when no row was left. */
function removeRows(database: Database, shadow: string): Promise<boolean> {
  const key = shadow.endsWith("_idx") ? "segid, term" : "id";
  return database.write(
    (): Written<boolean> => {
      if (database.first(`SELECT 1 FROM ${shadow} LIMIT 1`) === undefined) return { result: false };
      database.runOnShadow(
        `DELETE FROM ${shadow} WHERE (${key}) IN (SELECT ${key} FROM ${shadow} LIMIT ${CLEAR_STEP})`,
      );
      return { result: true };
    },
    { durable: false, deletes: true },
  );
}
