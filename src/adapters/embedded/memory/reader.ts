import type { NamespaceKey } from "../../../domain/access/tenancy.ts";
import type { MemoryFilter } from "../../../domain/memory/filter.ts";
import { isExpired, type Memory, type StoredMemory } from "../../../domain/memory/memory.ts";
import { withinBytes } from "../../../domain/page-token.ts";
import type { ListPosition, MemoryReader, NeighborOptions } from "../../../ports/memory/reader.ts";
import type { MemoryExport } from "../../../ports/memory/transfer.ts";
import type { Database } from "../database/database.ts";
import { memoryCondition } from "../keywords/row-filter.ts";
import type { NamespaceIds } from "../namespaces/namespace-ids.ts";
import type { EmbeddedAccessCounts } from "./access-counts.ts";
import { readNeighbors } from "./neighbors.ts";
import { isStored, type MemoryRows, recordIn, STORED, WITH_ACCESS } from "./rows.ts";

export interface MemoryReaderParts {
  readonly database: Database;
  readonly namespaces: NamespaceIds;
  readonly rows: MemoryRows;
  readonly accessCounts: EmbeddedAccessCounts;
}

/** Reads of memories by id and by filter. */
export class EmbeddedMemoryReader implements MemoryReader, MemoryExport {
  readonly #database: Database;
  readonly #namespaces: NamespaceIds;
  readonly #rows: MemoryRows;
  readonly #accessCounts: EmbeddedAccessCounts;

  constructor({ database, namespaces, rows, accessCounts }: MemoryReaderParts) {
    this.#database = database;
    this.#namespaces = namespaces;
    this.#rows = rows;
    this.#accessCounts = accessCounts;
  }

  async exist(scope: NamespaceKey, ids: readonly string[], now: number): Promise<boolean[]> {
    const namespaceId = this.#namespaces.find(scope);
    if (namespaceId === undefined) return ids.map(() => false);
    return ids.map((id) => {
      const row = this.#database.first(
        "SELECT expire_time FROM memory WHERE namespace_id = ? AND id = ?",
        namespaceId,
        id,
      );
      return isStored(row, now);
    });
  }

  async get(scope: NamespaceKey, ids: readonly string[], now: number): Promise<(StoredMemory | undefined)[]> {
    const namespaceId = this.#namespaces.find(scope);
    return ids.map((id) => {
      const row = namespaceId === undefined ? undefined : this.#rows.find(namespaceId, id);
      if (row === undefined) {
        if (this.#rows.mayHaveLost) throw this.#rows.missing(scope, id);
        return undefined;
      }
      const memory = this.#rows.memoryOf(row);
      return isExpired(memory, now) ? undefined : memory;
    });
  }

  async neighbors(
    scope: NamespaceKey,
    ids: readonly string[],
    options: NeighborOptions,
  ): Promise<StoredMemory[][]> {
    const namespaceId = this.#namespaces.find(scope);
    if (namespaceId === undefined) return ids.map(() => []);
    return readNeighbors(this.#database, this.#rows, { namespaceId, ids, ...options });
  }

  async list(
    scope: NamespaceKey,
    options: {
      readonly filter: MemoryFilter;
      readonly after?: ListPosition;
      readonly limit: number;
      readonly now: number;
    },
  ): Promise<StoredMemory[]> {
    const namespaceId = this.#namespaces.find(scope);
    if (namespaceId === undefined) return [];
    await this.#accessCounts.flushFor(options.filter);
    const condition = memoryCondition(namespaceId, options.filter, options.now);
    const { after } = options;
    const rows = this.#database.all(
      `SELECT ${STORED} FROM memory m ${WITH_ACCESS} WHERE ${condition.sql}
       ${after === undefined ? "" : "AND (m.create_time, m.id) < (?, ?)"}
       ORDER BY m.create_time DESC, m.id DESC LIMIT ?`,
      ...condition.values,
      ...(after === undefined ? [] : [after.createTime, after.id]),
      options.limit,
    );
    return rows.map((row) => this.#rows.memoryOf(row));
  }

  async listOldest(
    scope: NamespaceKey,
    options: {
      readonly filter: MemoryFilter;
      readonly after?: ListPosition;
      readonly limit: number;
      readonly maxBytes: number;
      readonly now: number;
    },
  ): Promise<Memory[]> {
    const namespaceId = this.#namespaces.find(scope);
    if (namespaceId === undefined) return [];
    const { filter, after, limit, maxBytes, now } = options;
    await this.#accessCounts.flushFor(filter);
    const condition = memoryCondition(namespaceId, filter, now);
    // Reads keys and sizes first, so that long texts beyond the page are not read.
    const rows = this.#database.all(
      // INDEXED BY, because the planner would otherwise sort all memories of a user for each page.
      `SELECT m.row, octet_length(m.record) AS bytes FROM memory m INDEXED BY memory_by_time
       WHERE ${condition.sql}
       ${after === undefined ? "" : "AND (m.create_time, m.id) > (?, ?)"}
       ORDER BY m.create_time, m.id LIMIT ?`,
      ...condition.values,
      ...(after === undefined ? [] : [after.createTime, after.id]),
      limit,
    );
    return withinBytes(rows, (row) => Number(row["bytes"]), maxBytes).flatMap(({ row }) => {
      const found = this.#database.first("SELECT id, record FROM memory WHERE row = ?", row ?? null);
      return found === undefined ? [] : [recordIn(found)];
    });
  }

  async count(scope: NamespaceKey, filter: MemoryFilter, now: number): Promise<number> {
    const namespaceId = this.#namespaces.find(scope);
    if (namespaceId === undefined) return 0;
    await this.#accessCounts.flushFor(filter);
    const condition = memoryCondition(namespaceId, filter, now);
    const row = this.#database.first(
      `SELECT count(*) AS n FROM memory m WHERE ${condition.sql}`,
      ...condition.values,
    );
    return Number(row?.["n"] ?? 0);
  }
}
