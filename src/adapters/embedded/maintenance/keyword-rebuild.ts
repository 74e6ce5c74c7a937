import { indexedText } from "../../../domain/memory/memory.ts";
import { withinBytes } from "../../../domain/page-token.ts";
import { termsOf } from "../../../domain/text/terms.ts";
import type { Database, Row, Written } from "../database/database.ts";
import { isDamage, recordOf } from "../embedding/pending-memory.ts";
import type { KeywordIndex } from "../keywords/keyword-index.ts";
import { KEYWORDS, spellTerms } from "../keywords/terms.ts";
import { removeKeywordTable } from "./repair.ts";

/**
 * The rebuild of the keyword index. FTS5's own `rebuild` is one statement that stops everything until it ends; here a second
 * table is filled beside the first in short transactions, and the two change names in one. Whatever ends the work before
 * that leaves the first table as it was, and the second as rubbish that `clearKeywordRubbish` removes.
 */

/** The table that is being made, and the one that has had its day. */
const NEXT = "memory_terms_next";
const OLD = "memory_terms_old";
const CREATE = `CREATE VIRTUAL TABLE ${NEXT} USING fts5 (terms, tokenize = 'ascii')`;

/** Memories indexed in one transaction, and the terms that they have together at most: some milliseconds. */
const STEP = 50;
const STEP_CHARACTERS = 64 * 1024;
/** Rows of FTS5's own tables removed in one transaction. */
const CLEAR_STEP = 200;
/** FTS5's own tables that grow with what is indexed. */
const SHADOWS = ["content", "docsize", "data", "idx"];

interface Copied {
  readonly count: number;
  /** The last row of the step; undefined when no row is left. */
  readonly last: number | undefined;
}

/**
 * Rebuilds the index from the stored terms, or where a memory has lost its own from its text, and yields how many
 * memories are in it. No rubbish may be there.
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
        // At once, for the writes behind it in the same transaction: they go to one table again.
        keywords.alsoWriteTo(undefined);
        return { result: undefined };
      },
      { onUndone: () => keywords.alsoWriteTo(NEXT) },
    );
  } finally {
    keywords.alsoWriteTo(undefined);
  }
}

/** Makes the empty table. Rows behind the one it resolves with are written to both tables by whoever writes them. */
function begin(database: Database, keywords: KeywordIndex): Promise<number> {
  return database.write(
    (): Written<number> => {
      database.run(CREATE);
      const end = Number(database.first("SELECT max(row) AS row FROM memory")?.["row"] ?? 0);
      // Last, when nothing of this write can fail any more; writes behind it in the transaction go to both.
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
        const terms = row["terms"] ?? termsAnew(database, row);
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
function termsAnew(database: Database, row: Row): string | undefined {
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
 * Removes what a rebuild leaves behind, whether it has ended well or not, in short transactions, until `isStopped`.
 * Rejects when that fails; what is left then harms nothing.
 */
export async function clearKeywordRubbish(database: Database, isStopped: () => boolean): Promise<void> {
  for (const table of [NEXT, OLD]) {
    try {
      await clear(database, table, isStopped);
    } catch (error) {
      if (!isDamage(error)) throw error;
      // A damaged page cannot be freed.
      database.maintain((sqlite) => removeKeywordTable(sqlite, table));
    }
  }
}

async function clear(database: Database, table: string, isStopped: () => boolean): Promise<void> {
  if (isStopped()) return;
  if (database.first("SELECT 1 FROM sqlite_schema WHERE name = ?", table) === undefined) return;
  for (const name of SHADOWS) {
    let isLeft = true;
    while (isLeft) {
      isLeft = await clearStep(database, `${table}_${name}`);
      if (isStopped()) return;
    }
  }
  await database.write(() => ({ result: database.run(`DROP TABLE ${table}`) }), { deletes: true });
}

/** False when nothing was left. */
function clearStep(database: Database, shadow: string): Promise<boolean> {
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
