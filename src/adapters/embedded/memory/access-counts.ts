import type { NamespaceKey } from "../../../domain/access/tenancy.ts";
import { type AccessBatch, AccessTally } from "../../../domain/memory/access-counts.ts";
import type { MemoryFilter } from "../../../domain/memory/filter.ts";
import type { AccessStatistics } from "../../../domain/memory/memory.ts";
import type { Log } from "../../../ports/log.ts";
import type { AccessCounts } from "../../../ports/memory/access-counts.ts";
import { BatchedWrites } from "../database/batched-writes.ts";
import type { Database } from "../database/database.ts";
import type { NamespaceIds } from "../namespaces/namespace-ids.ts";

/** Counts accesses to memories: in memory at first, and in batches in the database. */
export class EmbeddedAccessCounts implements AccessCounts, Disposable {
  readonly #database: Database;
  readonly #namespaces: NamespaceIds;
  readonly #log: Log;
  readonly #counts = new AccessTally();
  readonly #writes: BatchedWrites<AccessBatch>;

  constructor(database: Database, namespaces: NamespaceIds, log: Log) {
    this.#database = database;
    this.#namespaces = namespaces;
    this.#log = log;
    this.#writes = new BatchedWrites({
      database,
      log,
      lost: "accesses to memories could not be counted",
      take: () => this.#counts.take(),
      write: (batch) => this.#writeBatch(batch),
      settle: (batch) => this.#counts.settle(batch),
    });
  }

  /** Leaves the accesses that were counted to the database, which is closed by its owner. */
  [Symbol.dispose](): void {
    this.#writes[Symbol.dispose]();
  }

  add(scope: NamespaceKey, ids: readonly string[], now: number): void {
    if (ids.length === 0) return;
    const namespaceId = this.#namespaceOf(scope);
    if (namespaceId === undefined) return;
    for (const id of ids) this.#counts.add(String(namespaceId), id, now);
    this.#writes.counted(this.#counts.size);
  }

  /** What was counted of a memory and is not on disk yet; undefined when nothing was. */
  pending(namespaceId: number, id: string): AccessStatistics | undefined {
    return this.#counts.pending(String(namespaceId), id);
  }

  /** What is counted of this id from now on is of another memory. */
  discard(namespaceId: number, id: string): void {
    this.#counts.forget(String(namespaceId), id);
  }

  /** A filter by access sees what is on disk; this puts there what was counted. */
  async flushFor(filter: MemoryFilter): Promise<void> {
    if (filter.lastAccessTime !== undefined) await this.#writes.flush();
  }

  /** Adds to the stored statistics of a memory, if it is there. Only inside a write. */
  write(namespaceId: number, id: string, { accessCount, lastAccessTime }: AccessStatistics): void {
    this.#database.run(
      `INSERT INTO memory_access (row, access_count, last_access_time)
         SELECT row, ?, ? FROM memory WHERE namespace_id = ? AND id = ?
       ON CONFLICT (row) DO UPDATE SET access_count = access_count + excluded.access_count,
         last_access_time = max(last_access_time, excluded.last_access_time)`,
      accessCount,
      lastAccessTime,
      namespaceId,
      id,
    );
  }

  /** Undefined when it is not there, or cannot be read. */
  #namespaceOf(scope: NamespaceKey): number | undefined {
    try {
      return this.#namespaces.find(scope);
    } catch (error) {
      this.#log.warn({ err: error }, "accesses to memories could not be counted");
      return undefined;
    }
  }

  #writeBatch(batch: AccessBatch): void {
    for (const [namespaceId, ids] of batch) {
      for (const [id, access] of ids) this.write(Number(namespaceId), id, access);
    }
  }
}
