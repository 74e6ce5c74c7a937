import { RecollectError } from "../../../domain/errors.ts";
import type { Memory } from "../../../domain/memory/memory.ts";
import type { Log } from "../../../ports/log.ts";
import type { Database, Row } from "../database/database.ts";
import { SLOT_COLUMNS, slotOf, slotOfRow } from "../database/slot.ts";
import { Accumulators } from "./best-documents.ts";
import { KeywordTable } from "./keyword-table.ts";
import { KEYWORDS, termsIn } from "./terms.ts";

/** The keyword tables in memory, one per namespace, each read from the full-text table at its first search. */
export class KeywordTables {
  readonly #database: Database;
  readonly #log: Log;
  /** By namespaceId. */
  readonly #tables = new Map<number, KeywordTable>();
  readonly #accumulators = new Accumulators();

  constructor(database: Database, log: Log) {
    this.#database = database;
    this.#log = log;
  }

  /** Main memory of postings and lengths; the terms themselves, and the fields of memories, are not counted. */
  get memoryBytes(): number {
    return [...this.#tables.values()].reduce((sum, { memoryBytes }) => sum + memoryBytes, 0);
  }

  open(namespaceId: number): KeywordTable {
    const open = this.#tables.get(namespaceId);
    if (open !== undefined) return open;
    const table = new KeywordTable(this.#accumulators);
    for (const row of this.#read(namespaceId)) {
      table.put(Number(row["row"]), termsIn(namespaceId, String(row["terms"])), slotOfRow(row));
    }
    this.#tables.set(namespaceId, table);
    return table;
  }

  /** Adds a memory that is on disk to the table of its namespace, if that table is open. */
  put(namespaceId: number, row: number, memory: Memory, terms: readonly string[]): void {
    this.#tables.get(namespaceId)?.put(row, terms, slotOf(memory));
  }

  /** Sets the fields of a row to those of a new version of its memory, with the same terms. */
  change(namespaceId: number, row: number, memory: Memory): void {
    this.#tables.get(namespaceId)?.change(row, slotOf(memory));
  }

  remove(namespaceId: number, row: number): void {
    this.#tables.get(namespaceId)?.remove(row);
  }

  /** Drops the table of a namespace: the namespace was deleted. */
  drop(namespaceId: number): void {
    this.#tables.delete(namespaceId);
  }

  /** Drops all tables: the full-text table was repaired or rebuilt. The next search of each namespace reads it again. */
  clear(): void {
    this.#tables.clear();
  }

  #read(namespaceId: number): Row[] {
    try {
      return this.#database.all(
        `SELECT m.row, ${SLOT_COLUMNS}, t.terms FROM memory m CROSS JOIN ${KEYWORDS} t ON t.rowid = m.row
         WHERE m.namespace_id = ?`,
        namespaceId,
      );
    } catch (error) {
      if (!isDamaged(error)) throw error;
      return this.#readIntact(namespaceId);
    }
  }

  /** Reads row by row, without the rows whose terms are damaged. */
  #readIntact(namespaceId: number): Row[] {
    const rows = this.#database.all(
      `SELECT m.row, ${SLOT_COLUMNS} FROM memory m WHERE m.namespace_id = ?`,
      namespaceId,
    );
    const intact = rows.flatMap((row) => {
      try {
        const found = this.#database.first(
          `SELECT terms FROM ${KEYWORDS} WHERE rowid = ?`,
          row["row"] ?? null,
        );
        return found === undefined ? [] : [{ ...row, ...found }];
      } catch (error) {
        if (!isDamaged(error)) throw error;
        return [];
      }
    });
    this.#log.warn(
      { damaged: rows.length - intact.length },
      "stored terms are damaged; their memories are not found by words",
    );
    return intact;
  }
}

function isDamaged(error: unknown): boolean {
  return error instanceof RecollectError && error.reason === "STORE_CORRUPT";
}
