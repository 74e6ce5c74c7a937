import type { NamespaceKey } from "../../../domain/access/tenancy.ts";
import type { CompactionGroup } from "../../../domain/compaction/group.ts";
import { type CompactionRun, dueTimeOf, endTimeOf, isUnderWay } from "../../../domain/compaction/run.ts";
import { withinBytes } from "../../../domain/page-token.ts";
import type { EndedRun, StoredRun } from "../../../ports/compaction/compaction-store.ts";
import { decodeRecord, encodeRecord } from "../database/checksums.ts";
import type { Database, Row } from "../database/database.ts";
import { HIDDEN_TENANT } from "../namespaces/hidden-namespaces.ts";

/** The row of a run, without its record. */
export interface RunRow {
  readonly row: number;
  readonly version: number;
  readonly fence: number;
  readonly owner: string;
  readonly leaseUntil: number;
  readonly dueTime: number | undefined;
  readonly isUnderWay: boolean;
}

/** Runs of compactions and their groups, in SQLite. */
export class RunRows {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** The row of a run, without reading its record, which may be damaged. */
  find(namespaceId: number, id: string): RunRow | undefined {
    const row = this.#database.first(
      `SELECT row, version, fence, owner, lease_until, due_time, under_way FROM compaction_run
       WHERE namespace_id = ? AND id = ?`,
      namespaceId,
      id,
    );
    if (row === undefined) return undefined;
    return {
      row: Number(row["row"]),
      version: Number(row["version"]),
      fence: Number(row["fence"]),
      owner: String(row["owner"]),
      leaseUntil: Number(row["lease_until"]),
      dueTime: row["due_time"] === null ? undefined : Number(row["due_time"]),
      isUnderWay: row["under_way"] === 1,
    };
  }

  /** Throws STORE_CORRUPT. */
  read(namespaceId: number, id: string): StoredRun | undefined {
    const row = this.#database.first(
      "SELECT id, version, record FROM compaction_run WHERE namespace_id = ? AND id = ?",
      namespaceId,
      id,
    );
    return row === undefined ? undefined : storedRun(row);
  }

  list(
    namespaceId: number,
    {
      after,
      limit,
    }: {
      readonly after?: { readonly createTime: number; readonly id: string };
      readonly limit: number;
    },
  ): StoredRun[] {
    const behind = after === undefined ? "" : "AND (create_time, id) < (?, ?)";
    const rows = this.#database.all(
      `SELECT id, version, record FROM compaction_run WHERE namespace_id = ? ${behind}
       ORDER BY create_time DESC, id DESC LIMIT ?`,
      namespaceId,
      ...(after === undefined ? [] : [after.createTime, after.id]),
      limit,
    );
    return rows.map(storedRun);
  }

  /** The id of a run that has not ended and overlaps one of this user (undefined: every user). */
  overlapping(namespaceId: number, userId: string | undefined): string | undefined {
    const ofUser = userId === undefined ? "" : "AND (user_id IS NULL OR user_id = ?)";
    const row = this.#database.first(
      `SELECT id FROM compaction_run WHERE namespace_id = ? AND free_time IS NOT NULL ${ofUser} LIMIT 1`,
      namespaceId,
      ...(userId === undefined ? [] : [userId]),
    );
    return row === undefined ? undefined : String(row["id"]);
  }

  insert(namespaceId: number, run: CompactionRun): void {
    const { dueTime, columns } = columnsOf(run);
    this.#database.run(
      `INSERT INTO compaction_run (namespace_id, id, user_id, create_time, end_time, due_time, under_way, record, version,
         free_time)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1, ?)`,
      namespaceId,
      run.id,
      run.userId ?? null,
      run.createTime,
      ...columns,
      dueTime,
    );
  }

  /** The next version of a run. */
  replace(before: RunRow, run: CompactionRun): void {
    const { dueTime, columns } = columnsOf(run);
    const leaseUntil = before.isUnderWay && !isUnderWay(run.state) ? 0 : before.leaseUntil;
    this.#database.run(
      `UPDATE compaction_run SET end_time = ?, due_time = ?, under_way = ?, record = ?, version = version + 1,
         lease_until = ?, free_time = ? WHERE row = ?`,
      ...columns,
      leaseUntil,
      dueTime === null ? null : Math.max(dueTime, leaseUntil),
      before.row,
    );
  }

  lease({ row, dueTime }: RunRow, owner: string, fence: number, until: number): void {
    this.#database.run(
      "UPDATE compaction_run SET owner = ?, fence = ?, lease_until = ?, free_time = ? WHERE row = ?",
      owner,
      fence,
      until,
      dueTime === undefined ? null : Math.max(dueTime, until),
      row,
    );
  }

  remove(namespaceId: number, { row }: RunRow): void {
    this.discardGroups(namespaceId, row);
    this.#database.run("DELETE FROM compaction_run WHERE row = ?", row);
  }

  groups(
    namespaceId: number,
    { row }: RunRow,
    { after, limit, maxBytes }: { readonly after: number; readonly limit: number; readonly maxBytes: number },
  ): CompactionGroup[] {
    const rows = this.#database.all(
      `SELECT number, record FROM compaction_group WHERE namespace_id = ? AND run = ? AND number > ?
       ORDER BY number LIMIT ?`,
      namespaceId,
      row,
      after,
      limit,
    );
    return withinBytes(rows, ({ record }) => Buffer.byteLength(String(record)), maxBytes).map(
      ({ number, record }) =>
        decodeRecord<CompactionGroup>(record, `group ${Number(number)} of a compaction`),
    );
  }

  putGroup(namespaceId: number, run: number, group: CompactionGroup): void {
    this.#database.run(
      `INSERT INTO compaction_group (namespace_id, run, number, record) VALUES (?, ?, ?, ?)
       ON CONFLICT (namespace_id, run, number) DO UPDATE SET record = excluded.record`,
      namespaceId,
      run,
      group.number,
      encodeRecord(group),
    );
  }

  discardGroups(namespaceId: number, run: number): void {
    this.#database.run("DELETE FROM compaction_group WHERE namespace_id = ? AND run = ?", namespaceId, run);
  }

  /** See CompactionStore.unfinished. */
  unfinished(now: number, limit: number): { readonly namespaceKey: NamespaceKey; readonly id: string }[] {
    const rows = this.#database.all(
      `SELECT n.tenant, n.name, r.id FROM compaction_run r JOIN namespace n USING (namespace_id)
       WHERE r.free_time <= ? AND n.tenant <> ? ORDER BY r.free_time LIMIT ?`,
      now,
      HIDDEN_TENANT,
      limit,
    );
    return rows.map((row) => ({ namespaceKey: namespaceKeyIn(row), id: String(row["id"]) }));
  }

  /** See CompactionStore.ended. */
  ended({
    after,
    before,
    limit,
  }: {
    readonly after?: { readonly endTime: number; readonly id: string };
    readonly before: number;
    readonly limit: number;
  }): EndedRun[] {
    const behind = after === undefined ? "" : "AND (r.end_time, r.id) > (?, ?)";
    const rows = this.#database.all(
      `SELECT n.tenant, n.name, r.id, r.end_time FROM compaction_run r JOIN namespace n USING (namespace_id)
       WHERE r.end_time < ? ${behind} AND n.tenant <> ? ORDER BY r.end_time, r.id LIMIT ?`,
      before,
      ...(after === undefined ? [] : [after.endTime, after.id]),
      HIDDEN_TENANT,
      limit,
    );
    return rows.map((row) => ({
      namespaceKey: namespaceKeyIn(row),
      id: String(row["id"]),
      endTime: Number(row["end_time"]),
    }));
  }
}

/** The namespace of a row with its tenant and name. */
export function namespaceKeyIn(row: Row): NamespaceKey {
  return { tenant: String(row["tenant"]), namespace: String(row["name"]) };
}

function storedRun(row: Row): StoredRun {
  const run = decodeRecord<CompactionRun>(row["record"], `compaction ${String(row["id"])}`);
  return { run, version: Number(row["version"]) };
}

/** The columns that follow from a record, in the order of the statements: end_time, due_time, under_way, record. */
function columnsOf(run: CompactionRun) {
  const dueTime = dueTimeOf(run) ?? null;
  const columns = [
    endTimeOf(run) ?? null,
    dueTime,
    isUnderWay(run.state) ? 1 : 0,
    encodeRecord(run),
  ] as const;
  return { dueTime, columns };
}
