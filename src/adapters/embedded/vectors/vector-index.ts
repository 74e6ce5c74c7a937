import { existsSync } from "node:fs";
import type { FilteredSize, SearchPlan, VectorRetrieverPlan } from "../../../domain/memory/search-plan.ts";
import { yieldToEventLoop } from "../../../lib/yield-to-event-loop.ts";
import type { Log } from "../../../ports/log.ts";
import type { RankingFields } from "../../../ports/memory/search.ts";
import { removeGraph, VectorGraph } from "./vector-graph.ts";
import { GRAPH_ABOVE, planVectorSearch } from "./vector-plan.ts";
import { type NearRow, type Slot, VectorTable } from "./vector-table.ts";

/** Vectors added to the graph in one tick of the event loop: each blocks it for half a millisecond. */
const BUILD_STEP = 1;

/** The event loop counts as busy when a step starts this late; the next step is then delayed by PAUSE_MS. */
const BUSY_DELAY_MS = 1;
const PAUSE_MS = 10;

/** nearestOfMost tests so many times as many rows as are wanted, first and second. */
const PROPOSALS = [4, 16];
/** So many times as many that pass contain the wanted ones: the table proposes by 8 bits, see OVERSAMPLING in vector-table.ts. */
const SURE = 2;

/** Vectors that are not in the graph yet are compared one by one; with more of them than this, all vectors are. */
const MAX_PENDING = 1000;

export interface VectorIndexOptions {
  readonly dimension: number;
  /** The file of the saved graph. */
  readonly path: string;
  readonly log: Log;
  /** The number of vectors above which there is a graph. Default: GRAPH_ABOVE. */
  readonly graphAbove?: number | undefined;
}

/** The rows that a vector search found, nearest first, and the plan that found them. */
export interface Nearest extends Pick<SearchPlan, "rounds"> {
  readonly found: readonly NearRow<RankingFields>[];
  readonly plan: VectorRetrieverPlan;
}

/** The rows that a search may find. */
interface Eligible {
  readonly size: FilteredSize;
  /** Makes the test of a row; scheduled for only where rows are tested. */
  readonly passing: () => (row: number) => boolean;
  /** Compares all eligible rows. */
  readonly scan: () => NearRow<RankingFields>[];
}

/**
 * The vectors of one namespace: a table that compares all of them, and above GRAPH_ABOVE an HNSW graph as well. A new vector
 * is found at once: vectors pending for the graph are compared one by one, and added to it in small steps between other
 * work. Similarities are always exact.
 */
export class VectorIndex {
  readonly #options: VectorIndexOptions;
  readonly #graphAbove: number;
  readonly #table = new VectorTable<RankingFields>();
  #graph: VectorGraph | undefined;
  /** Rows that are not in the graph yet. */
  readonly #pending = new Set<number>();
  /** Cancels the scheduled build step; undefined when none is scheduled. */
  #building: (() => void) | undefined;
  #unsaved = false;

  constructor(options: VectorIndexOptions) {
    this.#options = options;
    this.#graphAbove = options.graphAbove ?? GRAPH_ABOVE;
  }

  get size(): number {
    return this.#table.size;
  }

  /** Vectors that are not in the graph yet. */
  get pendingCount(): number {
    return this.#pending.size;
  }

  /** Main memory in bytes; the share of the graph is estimated. */
  get memoryBytes(): number {
    return this.#table.memoryBytes + (this.#graph?.memoryBytes ?? 0);
  }

  /** Adds a row while the index is being opened. Call `finishLoading` after the last row. */
  load(row: number, vector: Float32Array, slot: Slot<RankingFields>): void {
    this.#table.put(row, vector, slot);
  }

  /**
   * Loads the saved graph if it exists and is intact; otherwise rebuilds it from the rows. Without enough rows for a graph, a
   * saved one is deleted: it would miss their changes from now on.
   */
  finishLoading(): void {
    if (this.#table.size <= this.#graphAbove) {
      removeGraph(this.#options.path);
      return;
    }
    this.#graph = this.#openGraph();
    for (const row of this.#table.rows()) {
      if (!this.#graph.has(row)) this.#pending.add(row);
    }
    this.#scheduleBuilding();
  }

  put(row: number, vector: Float32Array, slot: Slot<RankingFields>): void {
    this.#table.put(row, vector, slot);
    if (this.#graph === undefined) {
      if (this.#table.size <= this.#graphAbove) return;
      this.#graph = new VectorGraph(this.#options.dimension);
      for (const stored of this.#table.rows()) this.#pending.add(stored);
    } else {
      this.#pending.add(row);
    }
    this.#scheduleBuilding();
  }

  /** Changes the fields of a row without changing its vector. */
  change(row: number, slot: Slot<RankingFields>): void {
    this.#table.change(row, slot);
  }

  remove(row: number): void {
    this.#table.remove(row);
    if (this.#pending.delete(row) || this.#graph === undefined) return;
    this.#graph.remove(row);
    this.#unsaved = true;
  }

  /** The nearest of the rows that default reads see at `now`, nearest first. */
  nearestDefault(query: Float32Array, limit: number, now: number): Nearest {
    return this.#nearest(query, limit, {
      size: { count: this.#table.size, basis: "UPPER_BOUND" },
      passing: () => (row) => this.#table.isDefault(row, now),
      scan: () => this.#table.nearestDefault(query, limit, now),
    });
  }

  /** The nearest of the given rows, nearest first; rows without a vector are skipped. */
  nearestOf(rows: readonly number[], query: Float32Array, limit: number): Nearest {
    return this.#nearest(query, limit, {
      size: { count: rows.length, basis: "COUNTED" },
      passing: () => {
        const eligible = new Set(rows);
        return (row) => eligible.has(row);
      },
      scan: () => this.#table.nearestOf(rows, query, limit),
    });
  }

  /**
   * The nearest of the rows that `passing` lets through, for a filter that most pass: only the nearest are tested, in one call.
   * Undefined: too few of them pass.
   */
  nearestOfMost(
    query: Float32Array,
    limit: number,
    passing: (rows: readonly number[]) => readonly number[],
  ): Nearest | undefined {
    const stored = this.#table.size;
    for (const [round, times] of PROPOSALS.entries()) {
      const { rows: proposed, graph } = this.#propose(query, times * limit);
      const rows = passing(proposed);
      if (rows.length < SURE * limit && proposed.length < stored) continue;
      const eligible: FilteredSize = { count: stored, basis: "UPPER_BOUND" };
      return {
        found: this.#table.nearestOf(rows, query, limit),
        plan: graph
          ? { policy: "GRAPH", candidates: times * limit, eligible }
          : { policy: "EXACT", candidates: 0, eligible },
        rounds: round + 1,
      };
    }
    return undefined;
  }

  /** Resolves when every vector is in the graph; for tests and benchmarks. */
  async built(): Promise<void> {
    while (this.#building !== undefined) await yieldToEventLoop();
  }

  /** Stops building and saves the graph for the next run. */
  close(): void {
    this.#stopBuilding();
    if (this.#graph === undefined || !this.#unsaved) return;
    try {
      this.#graph.save(this.#options.path);
    } catch (error) {
      // The graph is rebuilt from the rows.
      this.#options.log.warn({ err: error }, "the vector graph could not be saved; it will be rebuilt");
    }
  }

  /** Stops building without saving: another index has replaced this one, or it never served. */
  discard(): void {
    this.#stopBuilding();
    this.#graph = undefined;
  }

  /** Deletes the index in memory and on disk: the namespace was deleted. */
  destroy(): void {
    this.discard();
    removeGraph(this.#options.path);
  }

  /** Compares the proposals of the graph or the table if the plan says so and enough of them pass; otherwise uses `scan`. */
  #nearest(query: Float32Array, limit: number, { size, passing, scan }: Eligible): Nearest {
    const exact: VectorRetrieverPlan = { policy: "EXACT", candidates: 0, eligible: size };
    const plan = planVectorSearch({ stored: this.#table.size, eligible: size.count, limit });
    if (plan.kind === "exact") return { found: scan(), plan: exact, rounds: 1 };
    const { candidates } = plan;
    const { rows: proposed, graph } = this.#propose(query, candidates);
    const rows = proposed.filter(passing());
    if (rows.length < limit) return { found: scan(), plan: exact, rounds: 2 };
    return {
      found: this.#table.nearestOf(rows, query, limit),
      plan: graph ? { policy: "GRAPH", candidates, eligible: size } : exact,
      rounds: 1,
    };
  }

  /** Rows near to the query, by the graph (undefined: there is none) or the table. */
  #propose(
    query: Float32Array,
    count: number,
  ): { readonly rows: readonly number[]; readonly graph: VectorGraph | undefined } {
    const graph = this.#pending.size > MAX_PENDING ? undefined : this.#graph;
    const rows = graph
      ? [...graph.propose(query, count), ...this.#pending]
      : this.#table.propose(query, count);
    return { rows, graph };
  }

  #openGraph(): VectorGraph {
    const { path, dimension, log } = this.#options;
    if (existsSync(path)) {
      try {
        return VectorGraph.load(path, dimension);
      } catch (error) {
        log.warn({ err: error, path }, "the saved vector graph cannot be used; it is rebuilt from the rows");
        removeGraph(path);
      }
    }
    return new VectorGraph(dimension);
  }

  #scheduleBuilding(): void {
    if (this.#pending.size === 0) return;
    this.#building ??= this.#scheduleStep();
  }

  #scheduleStep(): () => void {
    const scheduled = performance.now();
    const immediate = setImmediate(() => this.#buildStep(performance.now() - scheduled > BUSY_DELAY_MS));
    return () => clearImmediate(immediate);
  }

  #buildStep(busy: boolean): void {
    this.#building = undefined;
    let added = 0;
    for (const row of this.#pending) {
      const vector = this.#table.get(row);
      if (vector !== undefined) this.#graph?.add(row, vector);
      this.#pending.delete(row);
      added += 1;
      if (added === BUILD_STEP) break;
    }
    this.#unsaved = true;
    if (!busy) this.#scheduleBuilding();
    else if (this.#pending.size > 0) {
      const pause = setTimeout(() => {
        this.#building = this.#scheduleStep();
      }, PAUSE_MS);
      this.#building = () => clearTimeout(pause);
    }
  }

  #stopBuilding(): void {
    this.#building?.();
    this.#building = undefined;
  }
}
