import { join } from "node:path";
import type { Memory } from "../../../domain/memory/memory.ts";
import { yieldToEventLoop } from "../../../lib/yield-to-event-loop.ts";
import type { Log } from "../../../ports/log.ts";
import type { RankingFields } from "../../../ports/memory/search.ts";
import { sleep } from "../../system/sleep.ts";
import { decodeVector } from "../database/checksums.ts";
import type { Database, Row } from "../database/database.ts";
import { SLOT_COLUMNS, type Slot, slotOf, slotOfRow } from "../database/slot.ts";
import { graphName } from "./graph-files.ts";
import { removeGraph } from "./vector-graph.ts";
import { VectorIndex } from "./vector-index.ts";
import type { VectorModel } from "./vector-model.ts";
import { GRAPH_ABOVE } from "./vector-plan.ts";

/** Vectors that a rebuild reads from disk in one tick of the event loop: some milliseconds. */
const LOAD_STEP = 200;
/** How often a rebuild polls the progress of the graph. */
const POLL_MS = 50;
/** Vectors that a graph may lack when it starts to serve; with 0, writes could delay the swap without end. */
const MAX_PENDING_AT_SWAP = 64;

/** The columns that an index needs of a memory, from `memory m` and `memory_vector v`. */
const INDEXED_COLUMNS = `m.row, ${SLOT_COLUMNS}, v.vector
  FROM memory m JOIN memory_vector v ON v.row = m.row`;

export interface MemoryVectorsOptions {
  /** The model of the stored vectors. */
  readonly model: VectorModel;
  /** The directory of the saved vector graphs. */
  readonly directory: string;
  readonly log: Log;
  /** See VectorIndexOptions. */
  readonly graphAbove?: number | undefined;
}

/** The vector indexes of memories, one per namespace, each read from disk at its first use. */
export class MemoryVectors implements Disposable {
  /** The number of vectors of a namespace above which it has a graph. */
  readonly graphAbove: number;
  readonly #database: Database;
  readonly #options: MemoryVectorsOptions;
  /** By namespaceId. */
  readonly #indexes = new Map<number, VectorIndex>();
  /** The replacement of one index, or of a graph on disk: it gets all writes and serves no searches. */
  #next: { readonly namespaceId: number; readonly index: VectorIndex } | undefined;

  constructor(database: Database, options: MemoryVectorsOptions) {
    this.#database = database;
    this.#options = options;
    this.graphAbove = options.graphAbove ?? GRAPH_ABOVE;
    // The vectors are of another model now: each index is read again at its next use.
    options.model.onChange(() => {
      for (const namespaceId of this.#openNamespaces()) this.drop(namespaceId);
    });
  }

  /** Main memory that the indexes take. */
  get memoryBytes(): number {
    const indexes = [...this.#indexes.values(), ...(this.#next === undefined ? [] : [this.#next.index])];
    return indexes.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0);
  }

  /** Saves the graphs that have changed. */
  [Symbol.dispose](): void {
    this.#next?.index.discard();
    this.#next = undefined;
    for (const index of this.#indexes.values()) index.close();
    this.#indexes.clear();
  }

  open(namespaceId: number): VectorIndex {
    const open = this.#indexes.get(namespaceId);
    if (open !== undefined) return open;
    const index = this.#create(namespaceId);
    const rows = this.#database.all(`SELECT ${INDEXED_COLUMNS} WHERE m.namespace_id = ?`, namespaceId);
    this.#fill(rows, (row, vector, slot) => index.load(row, vector, slot));
    index.finishLoading();
    this.#indexes.set(namespaceId, index);
    return index;
  }

  /** The vector of a row; undefined also when the index of its namespace is not open. */
  get(namespaceId: number, row: number): Float32Array | undefined {
    return this.#indexes.get(namespaceId)?.get(row);
  }

  /** Adds a vector that is on disk to the index of its namespace, if that index is open. */
  put(namespaceId: number, row: number, memory: Memory, vector: Float32Array): void {
    for (const index of this.#of(namespaceId)) index.put(row, vector, slotOf(memory));
  }

  /** Sets the fields of a row to those of a new version of its memory, with the same vector. */
  change(namespaceId: number, row: number, memory: Memory): void {
    for (const index of this.#of(namespaceId)) index.change(row, slotOf(memory));
  }

  remove(namespaceId: number, row: number): void {
    for (const index of this.#of(namespaceId)) index.remove(row);
  }

  /** Drops the index of a namespace from memory, and its graph from disk. */
  drop(namespaceId: number): void {
    for (const index of this.#of(namespaceId)) index.destroy();
    removeGraph(this.#path(namespaceId));
    this.#indexes.delete(namespaceId);
    if (this.#next?.namespaceId === namespaceId) this.#next = undefined;
  }

  /** An upper bound on the number of vectors that a rebuild would index now. */
  rebuildCount(): number {
    return this.#toRebuild().reduce((sum, { count }) => sum + count, 0);
  }

  /**
   * Rebuilds every index that is in memory or has a graph, one namespace after the other, and yields how many vectors
   * are indexed. The old index serves until the new one replaces it in one step. An index that was not in memory is
   * saved and dropped from memory again.
   */
  async *rebuild(signal: AbortSignal): AsyncGenerator<number> {
    let done = 0;
    for (const { namespaceId } of this.#toRebuild()) {
      let most = 0;
      for await (const indexed of this.#rebuildOne(namespaceId, signal)) {
        // Deletions lower the number.
        most = Math.max(most, indexed);
        yield done + most;
      }
      done += most;
    }
  }

  async *#rebuildOne(namespaceId: number, signal: AbortSignal): AsyncGenerator<number> {
    const index = this.#create(namespaceId);
    this.#next = { namespaceId, index };
    // True once the namespace was deleted, the model changed, or the store closed.
    const isObsolete = (): boolean => this.#next?.index !== index;
    try {
      for (let after: string | undefined = ""; after !== undefined; ) {
        after = this.#readPage(namespaceId, after, index);
        await yieldToEventLoop();
        signal.throwIfAborted();
        if (isObsolete()) return;
      }
      while (index.pendingCount > MAX_PENDING_AT_SWAP) {
        await sleep(POLL_MS, signal);
        if (isObsolete()) return;
        yield index.size - index.pendingCount;
      }
      if (isObsolete()) return;
      this.#next = undefined;
      this.#swap(namespaceId, index);
      yield index.size;
    } finally {
      if (!isObsolete()) {
        this.#next = undefined;
        index.discard();
      }
    }
  }

  /** Adds a page of vectors to an index that gets writes as well; returns the last id, or undefined at the end. */
  #readPage(namespaceId: number, after: string, index: VectorIndex): string | undefined {
    const rows = this.#database.all(
      `SELECT ${INDEXED_COLUMNS} WHERE m.namespace_id = ? AND m.id > ? ORDER BY m.id LIMIT ?`,
      namespaceId,
      after,
      LOAD_STEP,
    );
    this.#fill(rows, (row, vector, slot) => index.put(row, vector, slot));
    return rows.length < LOAD_STEP ? undefined : String(rows.at(-1)?.["id"]);
  }

  #swap(namespaceId: number, index: VectorIndex): void {
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
      this.graphAbove,
    );
    const counts = new Map([...this.#indexes].map(([namespaceId, { size }]) => [namespaceId, size]));
    for (const row of large) counts.set(Number(row["namespace_id"]), Number(row["memory_count"]));
    return [...counts].map(([namespaceId, count]) => ({ namespaceId, count }));
  }

  #openNamespaces(): Set<number> {
    return new Set([...this.#indexes.keys(), ...(this.#next === undefined ? [] : [this.#next.namespaceId])]);
  }

  #of(namespaceId: number): VectorIndex[] {
    const serving = this.#indexes.get(namespaceId);
    const next = this.#next?.namespaceId === namespaceId ? this.#next.index : undefined;
    return [serving, next].filter((index) => index !== undefined);
  }

  #create(namespaceId: number): VectorIndex {
    const { model, log } = this.#options;
    const path = this.#path(namespaceId);
    return new VectorIndex({ dimension: model.dimension, path, log, graphAbove: this.graphAbove });
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
        const vector = decodeVector(row["vector"], `the vector of memory ${String(row["id"])}`);
        put(Number(row["row"]), vector, slotOfRow(row));
      } catch (error) {
        // The keyword index still finds this memory; the other memories are found by both.
        damaged += 1;
        if (damaged === 1)
          log.warn({ err: error }, "a stored vector is damaged; its memory is not found by meaning");
      }
    }
    if (damaged > 1)
      log.warn({ damaged }, "stored vectors are damaged; their memories are not found by meaning");
  }
}
