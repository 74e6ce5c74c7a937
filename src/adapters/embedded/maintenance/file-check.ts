import type { DatabaseSync } from "node:sqlite";
import { indexedText, type Memory } from "../../../domain/memory/memory.ts";
import { termsOf } from "../../../domain/text/terms.ts";
import { decodeRecord } from "../database/checksums.ts";
import type { TableDamage } from "../database/damage.ts";
import { KEYWORDS, spellTerms } from "../keywords/terms.ts";
import { type RowFaults, verifyRows } from "./row-check.ts";

/** The damage of a file. Empty lists: none. */
export interface FileFindings {
  /** Damage that cannot be repaired from the rest of the file. */
  readonly damage: readonly TableDamage[];
  /** Damaged indexes of intact tables: they can be rebuilt. */
  readonly indexes: readonly string[];
  /** The keyword index is damaged, and its terms are intact. */
  readonly keywords: boolean;
}

/** High enough that the last messages, those about rows and indexes, are never cut off. */
const MAX_MESSAGES = 1_000_000;

/** Shadow tables that FTS5 derives from the terms; the terms themselves are in memory_terms_content. */
export const KEYWORD_TREES: readonly string[] = [
  "memory_terms_data",
  "memory_terms_idx",
  "memory_terms_docsize",
];
const KEYWORD_CONTENT = "memory_terms_content";

/**
 * Checks a whole file: its B-trees page by page, its indexes and its keyword index against their tables, and its
 * counters against its rows. Read-only. Takes seconds for a large file.
 */
export function checkFile(sqlite: DatabaseSync): FileFindings {
  const messages = integrityMessages(sqlite, String(MAX_MESSAGES));
  const rows = verifyRows(sqlite);
  if (!messages.every(isSpare)) return examine(sqlite, messages, rows);
  return { damage: [...wrongRows(rows), ...lostRows(sqlite, new Set())], indexes: [], keywords: false };
}

function wrongRows({ records, columns, vectors, revisions }: RowFaults): TableDamage[] {
  return [
    // A read of such a memory by id rejects with STORE_CORRUPT.
    ...(records > 0 ? [{ table: "memory.record", what: `${records} records are not what was written` }] : []),
    ...(columns > 0 ? [{ table: "memory", what: `${columns} rows are not what their records say` }] : []),
    ...(revisions > 0
      ? [{ table: "memory_revision", what: `${revisions} records are not what was written` }]
      : []),
    ...(vectors > 0 ? [{ table: "memory_vector", what: `${vectors} vectors are not what was written` }] : []),
  ];
}

/** Finds damaged tables and indexes. Each is checked by itself, because one damaged page hides others. */
function examine(sqlite: DatabaseSync, messages: readonly string[], rows: RowFaults): FileFindings {
  const trees = treesOf(sqlite);
  const damage: TableDamage[] = [];
  const indexes: string[] = [];
  const free = messages.filter((message) => message.startsWith("Freelist:")).length;
  if (free > 0) damage.push({ table: "free pages", what: `their list is damaged in ${spots(free)}` });
  const broken = brokenTrees(sqlite, messages, trees);
  for (const table of trees.filter((tree) => tree.type === "table" && !isKeywordTree(tree.name))) {
    const found = examineTable(sqlite, table.name, trees);
    damage.push(...found.damage);
    if (found.damage.length === 0) indexes.push(...found.indexes);
  }
  damage.push(...wrongRows(rows), ...lostRows(sqlite, broken));
  // When a row without an intact record differs from an index, it is unknown which of the two is right.
  if (
    rows.records > 0 &&
    indexes.some((name) => trees.some((tree) => tree.name === name && tree.table === "memory"))
  ) {
    damage.push({ table: "memory", what: "rows without a whole record may differ from its indexes" });
  }
  const keywords = keywordState(sqlite, broken, damage);
  if (keywords === "damaged") damage.push({ table: KEYWORDS, what: "the terms of memories are damaged" });
  // An index may hold the only trace of a lost row: indexes of damaged tables are not rebuilt.
  const damagedTables = new Set(damage.map(({ table }) => table));
  const repairable = indexes.filter(
    (name) => !damagedTables.has(trees.find((tree) => tree.name === name)?.table ?? ""),
  );
  return { damage, indexes: repairable, keywords: keywords === "index" };
}

interface Tree {
  readonly name: string;
  readonly type: string;
  readonly table: string;
  readonly root: number;
}

function treesOf(sqlite: DatabaseSync): Tree[] {
  const rows = sqlite
    .prepare("SELECT name, type, tbl_name, rootpage FROM sqlite_schema WHERE rootpage > 0")
    .all();
  return rows.map((row) => ({
    name: String(row["name"]),
    type: String(row["type"]),
    table: String(row["tbl_name"]),
    root: Number(row["rootpage"]),
  }));
}

function isKeywordTree(name: string): boolean {
  return name.startsWith(`${KEYWORDS}_`);
}

/** The messages of SQLite's check. A damaged page may end the check; its messages before that count. */
function integrityMessages(sqlite: DatabaseSync, subject: string): string[] {
  const messages: string[] = [];
  try {
    for (const row of sqlite.prepare(`PRAGMA integrity_check(${subject})`).iterate()) {
      messages.push(...String(row["integrity_check"]).split("\n"));
    }
  } catch (error) {
    messages.push(`stopped: ${error instanceof Error ? error.message : String(error)}`);
  }
  return messages.filter((message) => message !== "ok" && !message.startsWith("***"));
}

/** A message about unused pages, which a rebuilt index leaves in the file; they are harmless. */
function isSpare(message: string): boolean {
  return /^Page \d+: never used$/.test(message);
}

/** The tree that a message is about; undefined when it names none. */
function treeOf(sqlite: DatabaseSync, message: string, trees: readonly Tree[]): string | undefined {
  const root = /^Tree (\d+) /.exec(message)?.[1];
  if (root !== undefined) return trees.find((tree) => tree.root === Number(root))?.name;
  const page = /^(?:Multiple uses for byte|Fragmentation) .* page (\d+)$/.exec(message)?.[1];
  return page === undefined ? undefined : ownerOf(sqlite, Number(page));
}

function ownerOf(sqlite: DatabaseSync, page: number): string | undefined {
  try {
    const row = sqlite.prepare("SELECT name FROM dbstat WHERE pageno = ?").get(page);
    return row === undefined ? undefined : String(row["name"]);
  } catch {
    // Another damaged page prevented the lookup. Damage without an owner counts as damage of the table.
    return undefined;
  }
}

function brokenTrees(sqlite: DatabaseSync, messages: readonly string[], trees: readonly Tree[]): Set<string> {
  return new Set(messages.flatMap((message) => treeOf(sqlite, message, trees) ?? []));
}

/** https://www.sqlite.org/pragma.html#pragma_integrity_check: messages about an index end with its name. */
const OF_INDEX =
  /^(?:row \d+ missing from|wrong # of entries in|non-unique entry in|.* (?:of|from)) index (\S+)$/;

function examineTable(
  sqlite: DatabaseSync,
  table: string,
  trees: readonly Tree[],
): { readonly damage: readonly TableDamage[]; readonly indexes: readonly string[] } {
  const messages = integrityMessages(sqlite, `"${table}"`);
  if (messages.length === 0) return { damage: [], indexes: [] };
  const broken = brokenTrees(sqlite, messages, trees);
  const suspected = new Set(messages.flatMap((message) => OF_INDEX.exec(message)?.[1] ?? []));
  for (const name of broken) if (name !== table) suspected.add(name);
  const ofTable = messages.filter((message) => {
    if (OF_INDEX.test(message)) return false;
    // The check stops at a damaged page, which an earlier message has named.
    if (message.startsWith("stopped:")) return broken.size === 0;
    const tree = treeOf(sqlite, message, trees);
    return tree === undefined || tree === table;
  });
  if (ofTable.length > 0) {
    return { damage: [{ table, what: `damaged in ${spots(ofTable.length)}` }], indexes: [] };
  }
  const lost = lostByIndex(sqlite, table, broken);
  if (lost > 0)
    return { damage: [{ table, what: `${lost} rows that an index names are missing` }], indexes: [] };
  return { damage: [], indexes: [...suspected] };
}

/** Number of rows that an intact index of the table names and the table does not have. */
function lostByIndex(sqlite: DatabaseSync, table: string, broken: ReadonlySet<string>): number {
  const indexes = sqlite
    .prepare(`PRAGMA index_list("${table}")`)
    .all()
    .filter((row) => row["partial"] === 0 && row["origin"] !== "pk" && !broken.has(String(row["name"])));
  const counts = indexes.map((row) => {
    const named = `SELECT rowid FROM "${table}" INDEXED BY "${String(row["name"])}"`;
    return countOf(sqlite, `SELECT count(*) FROM (${named} EXCEPT SELECT rowid FROM "${table}" NOT INDEXED)`);
  });
  return Math.max(0, ...counts);
}

/** Rows of one table that rows of another require. A damaged table is not used as evidence. */
function lostRows(sqlite: DatabaseSync, broken: ReadonlySet<string>): TableDamage[] {
  const rules: readonly (readonly [table: string, witness: string, query: string, what: string])[] = [
    [
      "memory",
      "namespace",
      `SELECT count(*) FROM namespace n WHERE memory_count <>
         (SELECT count(*) FROM memory m WHERE m.namespace_id = n.namespace_id)`,
      "namespaces hold another number of memories than was counted",
    ],
    [
      "namespace",
      "memory",
      `SELECT count(*) FROM memory m WHERE NOT EXISTS
         (SELECT 1 FROM namespace n WHERE n.namespace_id = m.namespace_id)`,
      "memories have no namespace",
    ],
    [
      "memory",
      "memory_vector",
      "SELECT count(*) FROM memory_vector v WHERE NOT EXISTS (SELECT 1 FROM memory m WHERE m.row = v.row)",
      "vectors have no memory",
    ],
    [
      "memory",
      KEYWORD_CONTENT,
      `SELECT count(*) FROM ${KEYWORD_CONTENT} c WHERE NOT EXISTS (SELECT 1 FROM memory m WHERE m.row = c.id)`,
      "lists of terms have no memory",
    ],
    [
      "memory_vector",
      "memory",
      `SELECT count(*) FROM memory m WHERE NOT EXISTS (SELECT 1 FROM memory_vector v WHERE v.row = m.row)
         AND json_valid(substr(record, 9)) AND json_extract(substr(record, 9), '$.embedding.state') = 'READY'`,
      "memories have lost their vector",
    ],
    [
      KEYWORDS,
      "memory",
      `SELECT count(*) FROM memory m WHERE NOT EXISTS (SELECT 1 FROM ${KEYWORD_CONTENT} c WHERE c.id = m.row)`,
      "memories have lost their terms",
    ],
  ];
  return rules.flatMap(([table, witness, query, what]) => {
    if (broken.has(witness)) return [];
    const count = countOf(sqlite, query);
    return count > 0 ? [{ table, what: `${count} ${what}` }] : [];
  });
}

function countOf(sqlite: DatabaseSync, query: string): number {
  try {
    return Number(Object.values(sqlite.prepare(query).get() ?? {})[0] ?? 0);
  } catch {
    // A damaged page prevented the count; the page check has reported it.
    return 0;
  }
}

/**
 * `index`: the derived tables of FTS5 are damaged, and all stored terms match their memories. FTS5's check only reports
 * that the two differ, and an index rebuilt from damaged terms would agree with them.
 */
function keywordState(
  sqlite: DatabaseSync,
  broken: ReadonlySet<string>,
  damage: readonly TableDamage[],
): "whole" | "index" | "damaged" {
  const suspect = [...broken].some(isKeywordTree) || integrityMessages(sqlite, `"${KEYWORDS}"`).length > 0;
  if (!suspect) return "whole";
  const isDamaged = damage.some(({ table }) => table === "memory" || table === KEYWORDS);
  if (isDamaged || broken.has(KEYWORD_CONTENT) || broken.has("memory_terms_config")) return "damaged";
  return termsAreWhole(sqlite) ? "index" : "damaged";
}

function termsAreWhole(sqlite: DatabaseSync): boolean {
  try {
    const rows = sqlite.prepare(
      `SELECT m.namespace_id, m.record, c.c0 FROM memory m JOIN ${KEYWORD_CONTENT} c ON c.id = m.row`,
    );
    for (const row of rows.iterate()) {
      const memory = decodeRecord<Memory>(row["record"], "a memory");
      if (row["c0"] !== spellTerms(Number(row["namespace_id"]), termsOf(indexedText(memory)))) return false;
    }
    return true;
  } catch {
    // A page or a record is damaged, so its terms are unknown.
    return false;
  }
}

function spots(count: number): string {
  return count === 1 ? "one place" : `${count} places`;
}
