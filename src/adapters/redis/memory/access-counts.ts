import type { NamespaceKey } from "../../../domain/access/tenancy.ts";
import { type AccessBatch, AccessCountBuffer } from "../../../domain/memory/access-counts.ts";
import type { AccessStatistics } from "../../../domain/memory/memory.ts";
import type { Log } from "../../../ports/log.ts";
import type { AccessCounts } from "../../../ports/memory/access-counts.ts";
import { BatchedWrites } from "../connection/batched-writes.ts";
import { rows } from "../connection/script.ts";
import { namespaceKeyOf, scopeName } from "../namespaces/keys.ts";
import type { Namespaces } from "../namespaces/namespace-ids.ts";
import { defineNamespaceScript } from "../namespaces/namespace-script.ts";

/** Memories per script that writes access counts. */
const STEP = 500;

const COUNT = defineNamespaceScript({
  file: new URL("./count-accesses.lua", import.meta.url),
  effect: "writes",
  keys: ["memoryPrefix", "accessCounts", "lastAccesses"],
  arguments: [rows("accesses", ["id", "count", "time"])],
  reply: () => undefined,
});

/** Counts accesses to memories, first in memory, and writes them to Redis in batches. */
export class MemoryAccesses implements AccessCounts, AsyncDisposable {
  readonly #namespaces: Namespaces;
  readonly #counts = new AccessCountBuffer();
  readonly #writes: BatchedWrites<AccessBatch>;
  #batchesUnderWay = 0;

  constructor(namespaces: Namespaces, log: Log) {
    this.#namespaces = namespaces;
    this.#writes = new BatchedWrites({
      log,
      failureMessage: "accesses to memories could not be counted",
      take: () => this.#counts.take(),
      write: (batch) => this.#write(batch),
    });
  }

  add(scope: NamespaceKey, ids: readonly string[], now: number): void {
    for (const id of ids) this.#counts.add(scopeName(scope), id, now);
    if (ids.length > 0) this.#writes.counted(this.#counts.size);
  }

  /**
   * The pending counts, which a read that is sent now must add to the stored ones. No batch may be in flight then: see
   * `written`.
   */
  current(scope: NamespaceKey): ReadonlyMap<string, AccessStatistics> | undefined {
    return this.#counts.current(scopeName(scope));
  }

  /** Resolves when no batch is being written: a read at the same time might find it in Redis, or might not. */
  async written(): Promise<void> {
    while (this.#batchesUnderWay > 0) await this.#writes.flush();
  }

  /** Whether counts of this namespace may not be written yet. */
  isBehind(scope: NamespaceKey): boolean {
    return this.#batchesUnderWay > 0 || (this.current(scope)?.size ?? 0) > 0;
  }

  /** Resolves when the counts so far are written. */
  async flush(): Promise<void> {
    await this.written();
    await this.#writes.flush();
  }

  /** Call before new memories get these ids: the pending counts belong to the memories that have them now. */
  async settle(scope: NamespaceKey, ids: readonly string[]): Promise<void> {
    await this.written();
    if (ids.some((id) => this.#counts.buffered(scopeName(scope), id) !== undefined))
      await this.#writes.flush();
  }

  /** Discards the pending counts of deleted memories. */
  discard(scope: NamespaceKey, ids: readonly string[]): void {
    for (const id of ids) this.#counts.forget(scopeName(scope), id);
  }

  /** Discards all pending counts: the store was replaced. */
  clear(): void {
    this.#counts.forgetAll();
  }

  /** Flushes the pending counts. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writes[Symbol.asyncDispose]();
  }

  async #write(batch: AccessBatch): Promise<void> {
    this.#batchesUnderWay += 1;
    try {
      await Promise.all(
        [...batch].map(([name, ids]) => this.#writeNamespace(namespaceKeyOf(name), [...ids])),
      );
    } finally {
      this.#batchesUnderWay -= 1;
      this.#counts.settle(batch);
    }
  }

  async #writeNamespace(scope: NamespaceKey, ids: readonly [string, AccessStatistics][]): Promise<void> {
    for (let at = 0; at < ids.length; at += STEP) {
      const step = ids.slice(at, at + STEP);
      await this.#namespaces.run(scope, {
        script: COUNT,
        input: (namespace) => ({
          memoryPrefix: namespace.memory(""),
          accessCounts: namespace.accessCounts,
          lastAccesses: namespace.lastAccesses,
          accesses: step.map(([id, { accessCount, lastAccessTime }]) => ({
            ...{ id, count: accessCount, time: lastAccessTime },
          })),
        }),
      });
    }
  }
}
