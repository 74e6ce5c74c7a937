import type { NamespaceKey } from "../../../domain/access/tenancy.ts";
import { memoryNotFound, RecollectError } from "../../../domain/errors.ts";
import { sum } from "../../../domain/memory/access-counts.ts";
import {
  type AccessStatistics,
  isExpired,
  type Memory,
  type StoredMemory,
  withAccess,
} from "../../../domain/memory/memory.ts";
import { decodeRecord } from "../database/checksums.ts";
import type { Damage } from "../database/damage.ts";
import type { Database, Row } from "../database/database.ts";
import type { NamespaceIds } from "../namespaces/namespace-ids.ts";
import type { VectorModel } from "../vectors/vector-model.ts";
import type { EmbeddedAccessCounts } from "./access-counts.ts";

/** The columns that `MemoryRows.memoryOf` reads beside the record, of `memory m` and its access statistics. */
export const STORED_BESIDE_RECORD = "m.id, m.namespace_id, a.access_count, a.last_access_time";
/** All that it reads. */
export const STORED = `${STORED_BESIDE_RECORD}, m.record`;
export const WITH_ACCESS = "LEFT JOIN memory_access a ON a.row = m.row";

export interface MemoryRowsOptions {
  /** The model of the stored vectors. */
  readonly model: VectorModel;
  readonly damage: Damage;
  readonly accessCounts: EmbeddedAccessCounts;
}

/** Rows of memories by id, and the memories that they hold. */
export class MemoryRows {
  readonly #database: Database;
  readonly #namespaces: NamespaceIds;
  readonly #options: MemoryRowsOptions;

  constructor(database: Database, namespaces: NamespaceIds, options: MemoryRowsOptions) {
    this.#database = database;
    this.#namespaces = namespaces;
    this.#options = options;
  }

  /** Whether rows may have been lost, so that a memory that is not found may have existed. */
  get mayHaveLost(): boolean {
    return this.#options.damage.hidesMemories;
  }

  /** The row of a memory, expired or not; undefined: there is none. */
  find(namespaceId: number, id: string): Row | undefined {
    return this.#database.first(
      `SELECT m.row, m.term_count, m.expire_time, m.revision, ${STORED} FROM memory m ${WITH_ACCESS} WHERE m.namespace_id = ? AND m.id = ?`,
      namespaceId,
      id,
    );
  }

  /** Reads a memory that a write changes. Throws MEMORY_NOT_FOUND. */
  current(
    scope: NamespaceKey,
    id: string,
    now: number,
  ): { readonly namespaceId: number; readonly row: Row; readonly current: StoredMemory } {
    const namespaceId = this.#namespaces.find(scope);
    const row = namespaceId === undefined ? undefined : this.find(namespaceId, id);
    const current = row === undefined ? undefined : this.memoryOf(row);
    if (namespaceId === undefined || row === undefined || current === undefined || isExpired(current, now)) {
      throw this.missing(scope, id);
    }
    return { namespaceId, row, current };
  }

  /** The memory with its access statistics, including pending counts. Throws STORE_CORRUPT. */
  memoryOf(row: Row): StoredMemory {
    const pending = this.#options.accessCounts.pending(Number(row["namespace_id"]), String(row["id"]));
    const stored = accessOf(row);
    const memory = this.#withModel(recordIn(row));
    return withAccess(memory, pending === undefined ? stored : sum(stored, pending));
  }

  /** The error for a missing memory: MEMORY_NOT_FOUND, or STORE_CORRUPT when rows may have been lost. */
  missing(scope: NamespaceKey, id: string): RecollectError {
    if (!this.mayHaveLost) return memoryNotFound(scope.namespace, id);
    const message = `memory ${id} is not in namespace ${scope.namespace}, or is among what is damaged on disk`;
    return new RecollectError("STORE_CORRUPT", message, {
      metadata: { backend: "embedded", id, namespace: scope.namespace },
      resource: { type: "memory", name: id },
    });
  }

  /** Every stored vector is of the current model, also where the record was written with an earlier one. */
  #withModel(memory: Memory): Memory {
    const { identity } = this.#options.model;
    if (identity === undefined || memory.embedding.state !== "READY") return memory;
    const { provider, model, dimension } = identity;
    return { ...memory, embedding: { ...memory.embedding, provider, model, dimension } };
  }
}

/** Whether a row exists and has not expired. Does not read its record, which may be damaged. */
export function isStored(row: Row | undefined, now: number): row is Row {
  return row !== undefined && (row["expire_time"] === null || Number(row["expire_time"]) > now);
}

/** Decodes the record of a row. Throws STORE_CORRUPT. */
export function recordIn(row: Row): Memory {
  return decodeRecord<Memory>(row["record"], `memory ${String(row["id"])}`);
}

/** The access statistics of a row on disk, without pending counts. */
export function accessOf(row: Row): AccessStatistics | undefined {
  const count = row["access_count"];
  if (count === null || count === undefined) return undefined;
  return { accessCount: Number(count), lastAccessTime: Number(row["last_access_time"]) };
}
