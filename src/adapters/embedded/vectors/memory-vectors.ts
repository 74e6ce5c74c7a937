import { join } from "node:path";
import type { Memory } from "../../../domain/memory/memory.ts";
import { yieldToEventLoop } from "../../../lib/yield-to-event-loop.ts";
import type { Log } from "../../../ports/log.ts";
import type { RankingFields } from "../../../ports/memory/search.ts";
import { sleep } from "../../system/sleep.ts";
import { decodeVector } from "../database/checksums.ts";
import type { Database, Row } from "../database/database.ts";
import { graphName } from "./graph-files.ts";
import { removeGraph } from "./vector-graph.ts";
import { VectorIndex } from "./vector-index.ts";
import type { VectorModel } from "./vector-model.ts";
import { EXACT_LIMIT } from "./vector-plan.ts";
import type { Slot } from "./vector-table.ts";

/** Vectors read from disk in one turn of the event loop by a rebuild: some milliseconds. */
const LOAD_STEP = 200;
/** How often a rebuild looks how far the graph is. */
const LOOK_MS = 50;
/** Vectors that may be missing in a graph when it begins to serve; with none, writes could delay it without end. */
const MAX_LATE = 64;

/** What an index holds of a memory; the tables are `memory m` and `memory_vector v`. */
const HELD = `m.row, m.id, m.importance, coalesce(m.event_time, m.create_time) AS time, m.state, m.expire_time, v.vector
  FROM memory m JOIN memory_vector v ON v.row = m.row`;

export interface MemoryVectorsOptions {
  /** Of which model the vectors are. */
  readonly model: VectorModel;
  /** Where vector graphs are kept. */
  readonly directory: string;
  readonly log: Log;
}

/** The vector indexes of memories, one a namespace, read from disk when they are first needed. */
export class MemoryVectors implements Disposable {
  readonly #database: Database;
  readonly #options: MemoryVectorsOptions;
  /** By namespaceId. */
  readonly #indexes = new Map<number, VectorIndex>();
  /** The replacement of one of them, or of a graph on disk: writes reach it, searches do not. */
  #next: { readonly namespaceId: number; readonly index: VectorIndex } | undefined;

  constructor(database: Database, options: MemoryVectorsOptions) {
    this.#database = database;
    this.#options = options;
    // They are of another model now: read when they are first needed.
    options.model.onChange(() => {
      for (const namespaceId of this.#held()) this.forget(namespaceId);
    });
  }

  /** Main memory that the indexes take. */
  get memoryBytes(): number {
    const indexes = [...this.#indexes.values(), ...(this.#next === undefined ? [] : [this.#next.index])];
    return indexes.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0);
  }

  /** Keeps what is worth keeping of the graphs. */
  [Symbol.dispose](): void {
    this.#next?.index.discard();
    this.#next = undefined;
    for (const index of this.#indexes.values()) index.close();
    this.#indexes.clear();
  }

  open(namespaceId: number): VectorIndex {
    const known = this.#indexes.get(namespaceId);
    if (known !== undefined) return known;
    const index = this.#create(namespaceId);
    const rows = this.#database.all(`SELECT ${HELD} WHERE m.namespace_id = ?`, namespaceId);
    this.#fill(rows, (row, vector, slot) => index.load(row, vector, slot));
    index.finishLoading();
    this.#indexes.set(namespaceId, index);
    return index;
  }

  /** Puts a vector that is on disk where searches look, if its namespace was searched before. */
  hold(namespaceId: number, row: number, memory: Memory, vector: Float32Array): void {
    for (const index of this.#of(namespaceId)) index.put(row, vector, slotOf(memory));
  }

  /** The memory of a row expires at another time; undefined: never. */
  expireAt(namespaceId: number, row: number, expireTime = Number.POSITIVE_INFINITY): void {
    for (const index of this.#of(namespaceId)) index.expireAt(row, expireTime);
  }

  remove(namespaceId: number, row: number): void {
    for (const index of this.#of(namespaceId)) index.remove(row);
  }

  /** Drops all that is kept of a namespace, in memory and as a graph. */
  forget(namespaceId: number): void {
    for (const index of this.#of(namespaceId)) index.destroy();
    removeGraph(this.#path(namespaceId));
    this.#indexes.delete(namespaceId);
    if (this.#next?.namespaceId === namespaceId) this.#next = undefined;
  }

  /** How many vectors, at most, a rebuild now would place. */
  rebuildCount(): number {
    return this.#toRebuild().reduce((sum, { count }) => sum + count, 0);
  }

  /**
   * Rebuilds every index that is in memory or has a graph, one namespace after the other, and yields how many vectors
   * have their place. The old index serves until the new one takes its place in one step; one that was not in memory is
   * saved and dropped again.
   */
  async *rebuild(signal: AbortSignal): AsyncGenerator<number> {
    let done = 0;
    for (const { namespaceId } of this.#toRebuild()) {
      let most = 0;
      for await (const placed of this.#rebuildOne(namespaceId, signal)) {
        // Deletions lower it.
        most = Math.max(most, placed);
        yield done + most;
      }
      done += most;
    }
  }

  async *#rebuildOne(namespaceId: number, signal: AbortSignal): AsyncGenerator<number> {
    const index = this.#create(namespaceId);
    this.#next = { namespaceId, index };
    // The namespace may be deleted meanwhile, the model changed, the store closed: then there is nothing left to do.
    const isOver = (): boolean => this.#next?.index !== index;
    try {
      for (let after: string | undefined = ""; after !== undefined; ) {
        after = this.#readPage(namespaceId, after, index);
        await yieldToEventLoop();
        signal.throwIfAborted();
        if (isOver()) return;
      }
      while (index.waiting > MAX_LATE) {
        await sleep(LOOK_MS, signal);
        if (isOver()) return;
        yield index.size - index.waiting;
      }
      if (isOver()) return;
      this.#next = undefined;
      this.#takePlace(namespaceId, index);
      yield index.size;
    } finally {
      if (!isOver()) {
        this.#next = undefined;
        index.discard();
      }
    }
  }

  /** Puts a page of vectors into an index that writes reach as well; the last id, or undefined when none is left. */
  #readPage(namespaceId: number, after: string, index: VectorIndex): string | undefined {
    const rows = this.#database.all(
      `SELECT ${HELD} WHERE m.namespace_id = ? AND m.id > ? ORDER BY m.id LIMIT ?`,
      namespaceId,
      after,
      LOAD_STEP,
    );
    this.#fill(rows, (row, vector, slot) => index.put(row, vector, slot));
    return rows.length < LOAD_STEP ? undefined : String(rows.at(-1)?.["id"]);
  }

  #takePlace(namespaceId: number, index: VectorIndex): void {
    const old = this.#indexes.get(namespaceId);
    if (old === undefined) {
      index.close();
      return;
    }
    this.#indexes.set(namespaceId, index);
    old.discard();
  }

  #toRebuild(): { readonly namespaceId: number; readonly count: number }[] {
    if (this.#options.model.identity === undefined) return [];
    const large = this.#database.all(
      "SELECT namespace_id, memory_count FROM namespace WHERE memory_count > ?",
      EXACT_LIMIT,
    );
    const counts = new Map([...this.#indexes].map(([namespaceId, { size }]) => [namespaceId, size]));
    for (const row of large) counts.set(Number(row["namespace_id"]), Number(row["memory_count"]));
    return [...counts].map(([namespaceId, count]) => ({ namespaceId, count }));
  }

  #held(): Set<number> {
    return new Set([...this.#indexes.keys(), ...(this.#next === undefined ? [] : [this.#next.namespaceId])]);
  }

  #of(namespaceId: number): VectorIndex[] {
    const serving = this.#indexes.get(namespaceId);
    const next = this.#next?.namespaceId === namespaceId ? this.#next.index : undefined;
    return [serving, next].filter((index) => index !== undefined);
  }

  #create(namespaceId: number): VectorIndex {
    const { model, log } = this.#options;
    return new VectorIndex({ dimension: model.dimension, path: this.#path(namespaceId), log });
  }

  #path(namespaceId: number): string {
    return join(this.#options.directory, graphName(namespaceId, this.#options.model.generation));
  }

  #fill(
    rows: readonly Row[],
    put: (row: number, vector: Float32Array, slot: Slot<RankingFields>) => void,
  ): void {
    const { log } = this.#options;
    let damaged = 0;
    for (const row of rows) {
      try {
        put(Number(row["row"]), decodeVector(row["vector"], `the vector of memory ${String(row["id"])}`), {
          isDefault: row["state"] === "ACTIVE",
          expireTime: row["expire_time"] === null ? Number.POSITIVE_INFINITY : Number(row["expire_time"]),
          fields: rankingFieldsOf(row),
        });
      } catch (error) {
        // Its memory is still found by keyword, and the others by both.
        damaged += 1;
        if (damaged === 1)
          log.warn({ err: error }, "a stored vector is damaged; its memory is not found by meaning");
      }
    }
    if (damaged > 1)
      log.warn({ damaged }, "stored vectors are damaged; their memories are not found by meaning");
  }
}

/** What a candidate's row says of it. */
export function rankingFieldsOf(row: Row): RankingFields {
  return { id: String(row["id"]), time: Number(row["time"]), importance: Number(row["importance"]) };
}

function slotOf(memory: Memory): Slot<RankingFields> {
  return {
    isDefault: memory.state === "ACTIVE",
    expireTime: memory.expireTime ?? Number.POSITIVE_INFINITY,
    fields: { id: memory.id, time: memory.eventTime ?? memory.createTime, importance: memory.importance },
  };
}
