import type { DatabaseSync } from "node:sqlite";
import type { Memory } from "../../../domain/memory/memory.ts";
import { decodeRecord, decodeVector } from "../database/checksums.ts";

/** How many rows are not what was written. */
export interface RowFaults {
  /** Records that do not fit their checksum. */
  readonly records: number;
  /** Rows whose columns say something else than their whole record. */
  readonly columns: number;
  readonly vectors: number;
}

/** Reads every memory and every vector. Where a damaged page ends the reading, what was found before counts. */
export function verifyRows(sqlite: DatabaseSync): RowFaults {
  let records = 0;
  let columns = 0;
  let vectors = 0;
  readAll(
    sqlite,
    `SELECT ${COLUMNS.map(([name]) => name).join(", ")}, record FROM memory NOT INDEXED`,
    (row) => {
      const memory = whole(() => decodeRecord<Memory>(row["record"], "a memory"));
      if (memory === undefined) records += 1;
      else if (COLUMNS.some(([name, valueIn]) => row[name] !== valueIn(memory))) columns += 1;
    },
  );
  readAll(sqlite, "SELECT vector FROM memory_vector", (row) => {
    if (whole(() => decodeVector(row["vector"], "a vector")) === undefined) vectors += 1;
  });
  return { records, columns, vectors };
}

/** Columns that repeat what the record holds, as `#insert` of the memory store writes them. */
const COLUMNS: readonly (readonly [name: string, valueIn: (memory: Memory) => unknown])[] = [
  ["id", ({ id }) => id],
  ["kind", ({ kind }) => kind],
  ["state", ({ state }) => state],
  ["user_id", ({ userId }) => userId],
  ["agent_id", ({ agentId }) => agentId],
  ["session_id", ({ sessionId }) => sessionId],
  ["session_position", ({ sessionPosition }) => sessionPosition],
  ["author", ({ author }) => author],
  ["importance", ({ importance }) => importance],
  ["pinned", ({ pinned }) => (pinned ? 1 : 0)],
  ["create_time", ({ createTime }) => createTime],
  ["event_time", ({ eventTime }) => eventTime ?? null],
  ["expire_time", ({ expireTime }) => expireTime ?? null],
];

function readAll(sqlite: DatabaseSync, sql: string, look: (row: Record<string, unknown>) => void): void {
  try {
    for (const row of sqlite.prepare(sql).iterate()) look(row);
  } catch (error) {
    // A damaged page, which the check of the pages has reported; anything else is a mistake in this program.
    if (!(error instanceof Error && "errcode" in error)) throw error;
  }
}

function whole<T>(open: () => T): T | undefined {
  try {
    return open();
  } catch {
    // Not what was written, which is what the caller wants to know.
    return undefined;
  }
}
