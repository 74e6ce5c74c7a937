import type { NamespaceKey } from "../../../domain/access/tenancy.ts";
import type { Memory } from "../../../domain/memory/memory.ts";
import { type MemoryRevision, revisedMemory } from "../../../domain/memory/revision.ts";
import { withinBytes } from "../../../domain/page-token.ts";
import type { MemoryRevisions, RevisionPage, RevisionQuery } from "../../../ports/memory/revisions.ts";
import { decodeRecord } from "../database/checksums.ts";
import type { Database, Row } from "../database/database.ts";
import type { NamespaceIds } from "../namespaces/namespace-ids.ts";
import { isStored, type MemoryRows } from "./rows.ts";

/** Writes and deletes revisions of memories. All methods only inside a write. */
export class RevisionRows {
  readonly #database: Database;
  readonly #maxRevisions: number;

  /** `maxRevisions`: how many of the last ones of a memory are kept; 0: none. */
  constructor(database: Database, maxRevisions: number) {
    this.#database = database;
    this.#maxRevisions = maxRevisions;
  }

  /**
   * Keeps the record of a row, which is replaced by a version with this update time. Returns the number of the revision, which
   * the column `revision` of the new version gets.
   */
  keep(row: Row, replaceTime: number): number {
    const number = Number(row["revision"]) + 1;
    const memory = [Number(row["namespace_id"]), String(row["id"])] as const;
    if (this.#maxRevisions > 0) {
      this.#database.run(
        "INSERT INTO memory_revision (namespace_id, id, number, replace_time, record) VALUES (?, ?, ?, ?, ?)",
        ...memory,
        number,
        replaceTime,
        // As it is: a damaged record stays one that is known to be damaged.
        row["record"] ?? "",
      );
    }
    this.#database.run(
      "DELETE FROM memory_revision WHERE namespace_id = ? AND id = ? AND number <= ?",
      ...memory,
      number - this.#maxRevisions,
    );
    return number;
  }

  /** Deletes all revisions of a memory. */
  remove(namespaceId: number, id: string): void {
    this.#database.run("DELETE FROM memory_revision WHERE namespace_id = ? AND id = ?", namespaceId, id);
  }
}

/** Reads revisions of memories. */
export class EmbeddedMemoryRevisions implements MemoryRevisions {
  readonly #database: Database;
  readonly #namespaces: NamespaceIds;
  readonly #rows: MemoryRows;

  constructor({
    database,
    namespaces,
    rows,
  }: {
    readonly database: Database;
    readonly namespaces: NamespaceIds;
    readonly rows: MemoryRows;
  }) {
    this.#database = database;
    this.#namespaces = namespaces;
    this.#rows = rows;
  }

  async list(
    scope: NamespaceKey,
    id: string,
    { before, limit, maxBytes, now }: RevisionQuery,
  ): Promise<RevisionPage | undefined> {
    const namespaceId = this.#namespaces.find(scope);
    const row = namespaceId === undefined ? undefined : this.#rows.find(namespaceId, id);
    if (namespaceId === undefined || !isStored(row, now)) {
      if (this.#rows.mayHaveLost) throw this.#rows.missing(scope, id);
      return undefined;
    }
    // Reads numbers and sizes first, so that long texts beyond the page are not read.
    const found = this.#database.all(
      `SELECT number, octet_length(record) AS bytes FROM memory_revision
       WHERE namespace_id = ? AND id = ? ${before === undefined ? "" : "AND number < ?"}
       ORDER BY number DESC LIMIT ?`,
      namespaceId,
      id,
      ...(before === undefined ? [] : [before]),
      limit + 1,
    );
    const page = withinBytes(found.slice(0, limit), ({ bytes }) => Number(bytes), maxBytes);
    const revisions = page.flatMap(({ number }) => this.#read(namespaceId, id, Number(number)));
    return { revisions, more: page.length < found.length };
  }

  #read(namespaceId: number, id: string, number: number): MemoryRevision[] {
    const row = this.#database.first(
      "SELECT replace_time, record FROM memory_revision WHERE namespace_id = ? AND id = ? AND number = ?",
      namespaceId,
      id,
      number,
    );
    if (row === undefined) return [];
    const memory = decodeRecord<Memory>(row["record"], `revision ${number} of memory ${id}`);
    return [{ number, replaceTime: Number(row["replace_time"]), memory: revisedMemory(memory) }];
  }
}
