import type { NamespaceKey } from "../../../domain/access/tenancy.ts";
import { type AccessBatch, AccessCountBuffer } from "../../../domain/memory/access-counts.ts";
import type { MemoryFilter } from "../../../domain/memory/filter.ts";
import type { AccessStatistics } from "../../../domain/memory/memory.ts";
import type { Log } from "../../../ports/log.ts";
import type { AccessCounts } from "../../../ports/memory/access-counts.ts";
import { BatchedWrites } from "../database/batched-writes.ts";
import type { Database } from "../database/database.ts";
import type { NamespaceIds } from "../namespaces/namespace-ids.ts";

/** Counts accesses to memories, first in memory, and writes them to the database in batches. */
export class EmbeddedAccessCounts implements AccessCounts, Disposable {
  readonly #database: Database;
  readonly #namespaces: NamespaceIds;
  readonly #log: Log;
  readonly #counts = new AccessCountBuffer();
  readonly #writes: BatchedWrites<AccessBatch>;

  constructor(database: Database, namespaces: NamespaceIds, log: Log) {
    this.#database = database;
    this.#namespaces = namespaces;
    this.#log = log;
    this.#writes = new BatchedWrites({
      database,
      log,
      failureMessage: "accesses to memories could not be counted",
      take: () => this.#counts.take(),
      write: (batch) => this.#writeBatch(batch),
      settle: (batch) => this.#counts.settle(batch),
    });
  }

  /** Queues the pending counts in the database, which its owner closes. */
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

  /** The pending counts of a memory; undefined: none. */
  pending(namespaceId: number, id: string): AccessStatistics | undefined {
    return this.#counts.buffered(String(namespaceId), id);
  }

  /** Discards the pending counts of an id; later counts belong to another memory. */
  discard(namespaceId: number, id: string): void {
    this.#counts.forget(String(namespaceId), id);
  }

  /** Flushes pending counts before a filter by access, which reads the stored ones. */
  async flushFor(filter: MemoryFilter): Promise<void> {
    if (filter.lastAccessTime !== undefined) await this.#writes.flush();
  }

  /** Adds to the stored statistics of a memory, if it exists. Only inside a write. */
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

  /** The namespaceId; undefined when the namespace does not exist or cannot be read. */
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
