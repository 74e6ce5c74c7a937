import type { Scope } from "../../../domain/access/tenancy.ts";
import { type AccessBatch, AccessTally } from "../../../domain/memory/access-counts.ts";
import type { AccessStatistics } from "../../../domain/memory/memory.ts";
import type { Log } from "../../../ports/log.ts";
import type { AccessCounts } from "../../../ports/memory/access-counts.ts";
import { BatchedWrites } from "../connection/batched-writes.ts";
import { rows } from "../connection/script.ts";
import { scopeName, scopeOf } from "../namespaces/keys.ts";
import type { Namespaces } from "../namespaces/namespace-ids.ts";
import { defineNamespaceScript } from "../namespaces/namespace-script.ts";

/** Memories whose accesses one script writes. */
const STEP = 500;

const COUNT = defineNamespaceScript({
  file: new URL("./count-accesses.lua", import.meta.url),
  effect: "writes",
  keys: ["memoryPrefix", "accessCounts", "lastAccesses"],
  arguments: [rows("accesses", ["id", "count", "time"])],
  reply: () => undefined,
});

/** Counts accesses to memories: in memory at first, and in batches in Redis. */
export class MemoryAccesses implements AccessCounts, AsyncDisposable {
  readonly #namespaces: Namespaces;
  readonly #tally = new AccessTally();
  readonly #writes: BatchedWrites<AccessBatch>;
  #batchesUnderWay = 0;

  constructor(namespaces: Namespaces, log: Log) {
    this.#namespaces = namespaces;
    this.#writes = new BatchedWrites({
      log,
      lost: "accesses to memories could not be counted",
      take: () => this.#tally.take(),
      write: (batch) => this.#write(batch),
    });
  }

  add(scope: Scope, ids: readonly string[], now: number): void {
    for (const id of ids) this.#tally.add(scopeName(scope), id, now);
    if (ids.length > 0) this.#writes.counted(this.#tally.size);
  }

  /**
   * What is to be added to the stored counts of a namespace by a read that is sent now. Nothing may be on its way to
   * Redis then: see `written`.
   */
  current(scope: Scope): ReadonlyMap<string, AccessStatistics> | undefined {
    return this.#tally.current(scopeName(scope));
  }

  /** Resolves when no batch is on its way, which nobody could say of whether a read finds it in Redis. */
  async written(): Promise<void> {
    while (this.#batchesUnderWay > 0) await this.#writes.flush();
  }

  /** Before these ids are given to new memories: what was counted of them so far is of those that have them now. */
  async settle(scope: Scope, ids: readonly string[]): Promise<void> {
    await this.written();
    if (ids.some((id) => this.#tally.pending(scopeName(scope), id) !== undefined)) await this.#writes.flush();
  }

  /** The memories are gone. */
  forget(scope: Scope, ids: readonly string[]): void {
    for (const id of ids) this.#tally.forget(scopeName(scope), id);
  }

  /** The store was replaced: what was counted is of memories that are gone. */
  forgetAll(): void {
    this.#tally.forgetAll();
  }

  /** Writes what was counted. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writes[Symbol.asyncDispose]();
  }

  async #write(batch: AccessBatch): Promise<void> {
    this.#batchesUnderWay += 1;
    try {
      await Promise.all([...batch].map(([name, ids]) => this.#writeNamespace(scopeOf(name), [...ids])));
    } finally {
      this.#batchesUnderWay -= 1;
      this.#tally.settle(batch);
    }
  }

  async #writeNamespace(scope: Scope, ids: readonly [string, AccessStatistics][]): Promise<void> {
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
