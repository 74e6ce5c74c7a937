import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { crc32 } from "node:zlib";
import { Index, MetricKind, ScalarKind } from "usearch";

/** Edges per vector; the usual trade-off between recall and memory. */
const CONNECTIVITY = 16;
/** Candidate list size when a vector is added (efConstruction). */
const EXPANSION_ADD = 128;
/** Candidate list size of a search (ef); a search with a larger limit uses the limit. */
const EXPANSION_SEARCH = 192;

/** Memory of a graph node in bytes, without its vector: key, level and edges, mostly. */
const NODE_BYTES = 200;

/** The file beside a saved graph that holds its checksum. */
interface Seal {
  readonly format: 1;
  readonly dimension: number;
  readonly count: number;
  readonly bytes: number;
  readonly crc32: number;
}

/**
 * An HNSW graph (Malkov and Yashunin, 2016; by usearch) of vectors in half precision, by row number. It proposes
 * near rows; the caller computes exact similarities from the vectors themselves. It can be deleted at any time and
 * rebuilt from the rows.
 */
export class VectorGraph {
  readonly #index: Index;
  readonly #dimension: number;

  constructor(dimension: number) {
    this.#dimension = dimension;
    this.#index = new Index({
      dimensions: dimension,
      metric: MetricKind.Cos,
      quantization: ScalarKind.F16,
      connectivity: CONNECTIVITY,
      expansion_add: EXPANSION_ADD,
      expansion_search: EXPANSION_SEARCH,
      multi: false,
    });
  }

  get size(): number {
    return this.#index.size();
  }

  /** Estimated: usearch does not report it. */
  get memoryBytes(): number {
    return this.size * (2 * this.#dimension + NODE_BYTES);
  }

  add(row: number, vector: Float32Array): void {
    this.#index.add(BigInt(row), vector, 1);
  }

  remove(row: number): void {
    this.#index.remove(BigInt(row));
  }

  has(row: number): boolean {
    return this.#index.contains(BigInt(row)) === true;
  }

  /** Rows that are near to the vector, at most `limit`; most of the nearest are among them. */
  propose(vector: Float32Array, limit: number): number[] {
    if (this.size === 0) return [];
    return Array.from(this.#index.search(vector, Math.min(limit, this.size), 1).keys, Number);
  }

  /** Writes the graph and its seal, each whole or not at all. */
  save(path: string): void {
    try {
      this.#save(path);
    } catch (error) {
      // A partial graph on a full disk would take space that other files need.
      for (const file of [path, sealPath(path)]) rmSync(`${file}.new`, { force: true });
      throw error;
    }
  }

  /** A saved graph. Throws, saying why, when it is missing, torn, changed, or of another dimension. */
  static load(path: string, dimension: number): VectorGraph {
    const seal = JSON.parse(readFileSync(sealPath(path), "utf8")) as Seal;
    if (seal.format !== 1 || seal.dimension !== dimension)
      throw new Error("it is of another format or dimension");
    const content = readFileSync(path);
    if (content.length !== seal.bytes || crc32(content) !== seal.crc32) throw new Error("it is damaged");
    const graph = new VectorGraph(dimension);
    graph.#index.load(path);
    if (graph.size !== seal.count) throw new Error("it holds another number of vectors than its seal says");
    return graph;
  }

  #save(path: string): void {
    this.#index.save(`${path}.new`);
    const content = readFileSync(`${path}.new`);
    const seal: Seal = {
      format: 1,
      dimension: this.#dimension,
      count: this.size,
      bytes: content.length,
      crc32: crc32(content),
    };
    // The old seal is removed first: a crash in between leaves a graph without a seal, which is rebuilt.
    rmSync(sealPath(path), { force: true });
    renameSync(`${path}.new`, path);
    writeFileSync(`${sealPath(path)}.new`, JSON.stringify(seal));
    renameSync(`${sealPath(path)}.new`, sealPath(path));
  }
}

/** Removes a saved graph, if there is one. */
export function removeGraph(path: string): void {
  for (const file of [sealPath(path), path]) rmSync(file, { force: true });
}

function sealPath(path: string): string {
  return `${path}.seal.json`;
}
