import type { DatabaseSync } from "node:sqlite";
import { endedTime, type Memory } from "../../../domain/memory/memory.ts";
import { decodeRecord, decodeVector } from "../database/checksums.ts";

/** Numbers of damaged rows. */
export interface RowFaults {
  /** Records that do not match their checksum. */
  readonly records: number;
  /** Rows whose columns differ from their intact record. */
  readonly columns: number;
  readonly vectors: number;
  /** Records of revisions that do not match their checksum. */
  readonly revisions: number;
}

/** Reads every memory, every revision and every vector. A damaged page ends the scan of its table; the findings before it count. */
export function verifyRows(sqlite: DatabaseSync): RowFaults {
  let records = 0;
  let columns = 0;
  let vectors = 0;
  let revisions = 0;
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
  readAll(sqlite, "SELECT record FROM memory_revision", (row) => {
    if (whole(() => decodeRecord<Memory>(row["record"], "a revision")) === undefined) revisions += 1;
  });
  return { records, columns, vectors, revisions };
}

/** Columns that duplicate fields of the record, as `#insert` of the memory store writes them. */
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
  ["ended", (memory) => endedTime(memory) ?? null],
  ["valid_from", ({ validFrom }) => validFrom ?? null],
  ["valid_until", ({ validUntil }) => validUntil ?? null],
];

function readAll(sqlite: DatabaseSync, sql: string, look: (row: Record<string, unknown>) => void): void {
  try {
    for (const row of sqlite.prepare(sql).iterate()) look(row);
  } catch (error) {
    // A damaged page, which the page check has reported; any other error is a bug.
    if (!(error instanceof Error && "errcode" in error)) throw error;
  }
}

function whole<T>(open: () => T): T | undefined {
  try {
    return open();
  } catch {
    // Undefined tells the caller that the value is damaged.
    return undefined;
  }
}
