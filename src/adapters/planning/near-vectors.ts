import { exactSearch, MetricKind } from "usearch";
import { clampSimilarity } from "../../domain/embedding/vector.ts";
import type { NearPair } from "../../ports/compaction/planner.ts";

/** Each vector is compared with so many of its nearest ones. */
const NEIGHBOURS = 8;
/** In a small set with more of its nearest ones: copies of one text would be all of the nearest eight. */
const SMALL = 500;
const NEIGHBOURS_IF_SMALL = 64;
/** So many vectors are compared with each other, all at once; more are divided into cells. */
const COMPARED = 2000;
/** Vectors of a cell, on average. */
const CELL_SIZE = 250;
/** A vector is compared with those of so many of the nearest cells. */
const CELLS = 6;
/** The centres of the cells are the means of a sample of so many vectors a cell, improved in so many rounds (k-means). */
const SAMPLED = 20;
const ROUNDS = 3;
/** Queries of one native call, which takes memory for each of their comparisons. */
const QUERIES = 128;
const LARGEST_INT8 = 127;

/** Vectors of one dimension, side by side, in 8 bits: of their cosine similarities that changes less than 0.005. */
export class CoarseVectors {
  #dimension = 0;
  #data = new Int8Array(0);
  #positions: number[] = [];

  /** `position`: in the list of all memories. The first vector determines the dimension; others are left out. */
  add(position: number, vector: Float32Array): void {
    if (this.#dimension === 0) this.#dimension = vector.length;
    if (vector.length !== this.#dimension) return;
    const start = this.#positions.length * this.#dimension;
    if (start === this.#data.length) {
      const larger = new Int8Array(Math.max(64 * this.#dimension, 2 * start));
      larger.set(this.#data);
      this.#data = larger;
    }
    let largest = Number.MIN_VALUE;
    for (const value of vector) largest = Math.max(largest, Math.abs(value));
    const scale = LARGEST_INT8 / largest;
    for (let at = 0; at < vector.length; at += 1) {
      this.#data[start + at] = Math.round((vector[at] ?? 0) * scale);
    }
    this.#positions.push(position);
  }

  /**
   * Each vector with its nearest ones of at least this similarity, each pair once, and the similarity of each to its nearest one. Exact
   * for up to 2,000 vectors. More are divided into cells around centres (an inverted file, as in J. Sivic and A. Zisserman, Video
   * Google, 2003): each is compared with the some 1,500 of its nearest cells, so that the time rises with their number; a near pair
   * of two far cells is missed.
   */
  near(least: number): { readonly pairs: readonly NearPair[]; readonly nearest: readonly number[] } {
    const count = this.#positions.length;
    if (count < 2) return { pairs: [], nearest: [] };
    const all = Uint32Array.from({ length: count }, (_, index) => index);
    const found = new Neighbours(count, count <= SMALL ? NEIGHBOURS_IF_SMALL : NEIGHBOURS);
    if (count <= COMPARED) this.#compare(all, all, found);
    else for (const { queries, compared } of this.#cells(all)) this.#compare(queries, compared, found);
    return found.pairs(this.#positions, least);
  }

  /** Compares some vectors with others, by index. */
  #compare(queries: Uint32Array, compared: Uint32Array, found: Neighbours): void {
    const dataset = this.#gather(compared);
    const count = Math.min(found.size + 1, compared.length);
    for (let start = 0; start < queries.length; start += QUERIES) {
      const part = queries.subarray(start, start + QUERIES);
      const { keys, distances } = search(dataset, this.#gather(part), this.#dimension, count);
      for (const [at, query] of part.entries()) {
        for (let rank = at * count; rank < (at + 1) * count; rank += 1) {
          const other = compared[Number(keys[rank])] ?? query;
          if (other !== query) found.add(query, other, clampSimilarity(1 - (distances[rank] ?? 2)));
        }
      }
    }
  }

  #gather(indexes: Uint32Array): Int8Array {
    const gathered = new Int8Array(indexes.length * this.#dimension);
    for (const [at, index] of indexes.entries()) {
      gathered.set(this.#vector(index), at * this.#dimension);
    }
    return gathered;
  }

  #vector(index: number): Int8Array {
    return this.#data.subarray(index * this.#dimension, (index + 1) * this.#dimension);
  }

  /** The vectors of each cell, and those that are compared with them: each vector with those of its nearest cells. */
  *#cells(all: Uint32Array): Generator<{ readonly queries: Uint32Array; readonly compared: Uint32Array }> {
    const cells = Math.ceil(all.length / CELL_SIZE);
    const centres = this.#centres(all, cells);
    const asked = Math.min(CELLS, cells);
    const members: number[][] = Array.from({ length: cells }, () => []);
    const queries: number[][] = Array.from({ length: cells }, () => []);
    for (const [at, cell] of this.#nearestCentres(all, centres, asked).entries()) {
      const index = Math.floor(at / asked);
      if (at % asked === 0) members[cell]?.push(index);
      queries[cell]?.push(index);
    }
    for (const [cell, own] of members.entries()) {
      // A cell of very many, such as copies of one text, is compared in parts.
      for (let start = 0; start < own.length; start += COMPARED) {
        const compared = own.slice(start, start + COMPARED);
        const part = own.length <= COMPARED ? (queries[cell] ?? []) : compared;
        yield { queries: Uint32Array.from(part), compared: Uint32Array.from(compared) };
      }
    }
  }

  /** The nearest cells of each vector, vector by vector. */
  #nearestCentres(vectors: Uint32Array, centres: Int8Array, count: number): number[] {
    const cells: number[] = [];
    for (let start = 0; start < vectors.length; start += QUERIES) {
      const part = this.#gather(vectors.subarray(start, start + QUERIES));
      for (const key of search(centres, part, this.#dimension, count).keys) cells.push(Number(key));
    }
    return cells;
  }

  #centres(all: Uint32Array, cells: number): Int8Array {
    const step = Math.max(1, Math.floor(all.length / (cells * SAMPLED)));
    const sample = all.filter((_, index) => index % step === 0);
    const first = Math.max(1, Math.floor(sample.length / cells));
    let centres = this.#gather(sample.filter((_, index) => index % first === 0).subarray(0, cells));
    for (let round = 0; round < ROUNDS; round += 1) {
      centres = this.#means(sample, this.#nearestCentres(sample, centres, 1), centres);
    }
    return centres;
  }

  /** The mean of the vectors of each cell, in 8 bits; an empty one keeps its centre. */
  #means(sample: Uint32Array, cells: readonly number[], centres: Int8Array): Int8Array {
    const dimension = this.#dimension;
    const sums = new Float32Array(centres.length);
    for (const [at, index] of sample.entries()) {
      const start = (cells[at] ?? 0) * dimension;
      const vector = this.#vector(index);
      for (let place = 0; place < dimension; place += 1)
        sums[start + place] = (sums[start + place] ?? 0) + (vector[place] ?? 0);
    }
    const means = Int8Array.from(centres);
    for (let start = 0; start < sums.length; start += dimension) {
      let largest = 0;
      for (let place = start; place < start + dimension; place += 1)
        largest = Math.max(largest, Math.abs(sums[place] ?? 0));
      if (largest === 0) continue;
      const scale = LARGEST_INT8 / largest;
      for (let place = start; place < start + dimension; place += 1)
        means[place] = Math.round((sums[place] ?? 0) * scale);
    }
    return means;
  }
}

/** The nearest of each query, query by query; native code, one thread. */
function search(
  dataset: Int8Array,
  queries: Int8Array,
  dimension: number,
  count: number,
): { readonly keys: BigUint64Array; readonly distances: Float32Array } {
  const found = exactSearch(dataset, queries, dimension, count, MetricKind.Cos, 1);
  return found as unknown as { readonly keys: BigUint64Array; readonly distances: Float32Array };
}

/** The nearest ones of each vector, in arrays, because there are many. */
class Neighbours {
  readonly #others: Int32Array;
  readonly #similarities: Float32Array;

  /** How many of each. */
  readonly size: number;

  constructor(count: number, size: number) {
    this.size = size;
    this.#others = new Int32Array(count * size).fill(-1);
    this.#similarities = new Float32Array(count * size).fill(-2);
  }

  add(one: number, other: number, similarity: number): void {
    const [first, end] = [one * this.size, (one + 1) * this.size];
    if ((this.#similarities[end - 1] ?? 0) >= similarity) return;
    let at = end - 1;
    while (at > first && (this.#similarities[at - 1] ?? 0) < similarity) {
      this.#similarities[at] = this.#similarities[at - 1] ?? 0;
      this.#others[at] = this.#others[at - 1] ?? -1;
      at -= 1;
    }
    this.#similarities[at] = similarity;
    this.#others[at] = other;
  }

  pairs(
    positions: readonly number[],
    least: number,
  ): { readonly pairs: readonly NearPair[]; readonly nearest: readonly number[] } {
    const pairs: NearPair[] = [];
    const nearest: number[] = [];
    for (const [one, position] of positions.entries()) {
      const first = one * this.size;
      if ((this.#others[first] ?? -1) >= 0) nearest.push(this.#similarities[first] ?? 0);
      for (let at = first; at < first + this.size; at += 1) {
        const [other = -1, similarity = -2] = [this.#others[at], this.#similarities[at]];
        if (other < 0 || similarity < least) break;
        // The other one has it too: it comes once.
        if (other < one && this.#has(other, one)) continue;
        pairs.push({ one: position, other: positions[other] ?? 0, similarity });
      }
    }
    return { pairs, nearest };
  }

  #has(one: number, other: number): boolean {
    return this.#others.subarray(one * this.size, (one + 1) * this.size).includes(other);
  }
}
