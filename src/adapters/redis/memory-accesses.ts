import { type AccessBatch, AccessTally } from "../../domain/memory/access-tally.ts";
import type { AccessStatistics } from "../../domain/memory/memory.ts";
import type { Scope } from "../../domain/tenancy.ts";
import type { Log } from "../../ports/log.ts";
import { scopeName, scopeOf } from "./keys.ts";
import { memoryKeys } from "./memory-rows.ts";
import type { Namespaces } from "./namespaces.ts";
import { readScript } from "./script.ts";

/** What is counted is written when there is so much of it, or after so long, which is what a crash may lose. */
const BATCH_SIZE = 1024;
const BATCH_MS = 1000;

/** Memories whose accesses one script writes. */
const STEP = 500;

const COUNT = readScript("count-accesses", { libraries: ["namespace", "memory"], effect: "writes" });

/** Counts accesses to memories: in memory at first, and in batches in Redis. */
export class MemoryAccesses implements AsyncDisposable {
  readonly #namespaces: Namespaces;
  readonly #log: Log;
  readonly #tally = new AccessTally();
  readonly #writing = new Set<Promise<void>>();
  #timer: NodeJS.Timeout | undefined;

  constructor(namespaces: Namespaces, log: Log) {
    this.#namespaces = namespaces;
    this.#log = log;
  }

  count(scope: Scope, ids: readonly string[], now: number): void {
    for (const id of ids) this.#tally.add(scopeName(scope), id, now);
    if (this.#tally.size >= BATCH_SIZE) void this.flush();
    else if (this.#tally.size > 0) this.#timer ??= setTimeout(() => void this.flush(), BATCH_MS).unref();
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
    while (this.#writing.size > 0) await Promise.all(this.#writing);
  }

  /** Before these ids are given to new memories: what was counted of them so far is of those that have them now. */
  async settle(scope: Scope, ids: readonly string[]): Promise<void> {
    if (ids.some((id) => this.#tally.pending(scopeName(scope), id) !== undefined)) await this.flush();
  }

  /** The memories are gone. */
  forget(scope: Scope, ids: readonly string[]): void {
    for (const id of ids) this.#tally.forget(scopeName(scope), id);
  }

  /** Resolves when what was counted so far is written. Never rejects: what cannot be counted is no reason to fail. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const batch = this.#tally.take();
    if (batch !== undefined) {
      const writing = this.#write(batch);
      this.#writing.add(writing);
      void writing.finally(() => this.#writing.delete(writing));
    }
    await Promise.all(this.#writing);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.flush();
  }

  async #write(batch: AccessBatch): Promise<void> {
    try {
      await Promise.all([...batch].map(([name, ids]) => this.#writeNamespace(scopeOf(name), [...ids])));
    } catch (error) {
      this.#log.warn({ err: error }, "accesses to memories could not be counted");
    } finally {
      this.#tally.settle(batch);
    }
  }

  async #writeNamespace(scope: Scope, ids: readonly [string, AccessStatistics][]): Promise<void> {
    for (let at = 0; at < ids.length; at += STEP) {
      const step = ids.slice(at, at + STEP);
      await this.#namespaces.run(scope, {
        script: COUNT,
        keys: memoryKeys,
        args: () =>
          step.flatMap(([id, { accessCount, lastAccessTime }]) => [id, accessCount, lastAccessTime]),
      });
    }
  }
}
