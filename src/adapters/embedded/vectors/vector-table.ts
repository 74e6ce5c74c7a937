import { exactSearch, type Matches, MetricKind } from "usearch";
import { isVisible, type Slot } from "../database/slot.ts";

/** A row whose vector is near to the query. */
export interface NearRow<Fields> {
  readonly row: number;
  readonly similarity: number;
  readonly fields: Fields;
}

const FIRST_CAPACITY = 64;

/**
 * In larger tables vectors are compared in 8 bits first, and the nearest of those exactly. 10,000 vectors of 384 numbers
 * take 0.37 ms so (0.63 by cosine similarity, which vectors of one scale do not need), and 1.2 to 2.7 ms in float32, by what else
 * the processor's caches hold.
 */
const COARSE_ABOVE = 1000;
/**
 * Of the nearest by 8 bits, so many times as many as are wanted are compared exactly. 1.25 times contained each of the true
 * 3, 10, 50 and 100 nearest of 10,000 vectors (hashing, 384 numbers, 100 queries), 1 time 98 to 99 % of them.
 */
const OVERSAMPLING = 2;
const LARGEST_INT8 = 127;
/** Of the first vectors; a larger number in a later one halves it. */
const FIRST_SCALE = 16 * LARGEST_INT8;

/**
 * The vectors of one namespace or cache scope, all of one dimension, side by side, all compared in a search. It mirrors the
 * rows on disk and is changed after them.
 */
export class VectorTable<Fields> {
  /** 0 until the first vector is added. */
  #dimension = 0;
  #data = new Float32Array(0);
  /** The same vectors in 8 bits, all times `#scale`, so that their inner products compare as similarities do. */
  #coarse = new Int8Array(0);
  #scale = FIRST_SCALE;
  /** Row numbers by slot; slots are filled from 0 without gaps. */
  readonly #rows: number[] = [];
  readonly #slots: Slot<Fields>[] = [];
  readonly #slotOfRow = new Map<number, number>();
  /** Rows that default reads leave out. */
  #hidden = 0;

  get size(): number {
    return this.#rows.length;
  }

  get memoryBytes(): number {
    return this.#data.byteLength + this.#coarse.byteLength;
  }

  /** All rows, in no particular order. */
  rows(): readonly number[] {
    return this.#rows;
  }

  /** Whether default reads see the row at `now`. */
  isDefault(row: number, now: number): boolean {
    return isVisible(this.#slots[this.#slotOfRow.get(row) ?? -1], now);
  }

  put(row: number, vector: Float32Array, slot: Slot<Fields>): void {
    this.#dimension = vector.length;
    let index = this.#slotOfRow.get(row);
    if (index === undefined) {
      index = this.#rows.length;
      this.#rows.push(row);
      this.#slots.push(slot);
      this.#slotOfRow.set(row, index);
      this.#reserve(this.#rows.length);
    } else {
      this.#hidden -= this.#slots[index]?.isDefault === false ? 1 : 0;
      this.#slots[index] = slot;
    }
    this.#hidden += slot.isDefault ? 0 : 1;
    this.#data.set(vector, index * this.#dimension);
    this.#writeCoarse(vector, index);
  }

  /** Changes the fields of a row; does nothing for a row that is not in the table. */
  change(row: number, slot: Slot<Fields>): void {
    const index = this.#slotOfRow.get(row) ?? -1;
    const before = this.#slots[index];
    if (before === undefined) return;
    this.#hidden += Number(before.isDefault) - Number(slot.isDefault);
    this.#slots[index] = slot;
  }

  /** Moves the last slot into the one of the removed row. */
  remove(row: number): void {
    const index = this.#slotOfRow.get(row);
    if (index === undefined) return;
    this.#hidden -= this.#slots[index]?.isDefault === false ? 1 : 0;
    const lastRow = this.#rows.pop();
    const lastSlot = this.#slots.pop();
    this.#slotOfRow.delete(row);
    if (lastRow === undefined || lastSlot === undefined || lastRow === row) return;
    const last = this.#rows.length;
    for (const vectors of [this.#data, this.#coarse]) {
      vectors.copyWithin(index * this.#dimension, last * this.#dimension, (last + 1) * this.#dimension);
    }
    this.#rows[index] = lastRow;
    this.#slots[index] = lastSlot;
    this.#slotOfRow.set(lastRow, index);
  }

  /** The rows nearest to a unit vector, nearest first, among those that default reads see at `now`. */
  nearestDefault(query: Float32Array, limit: number, now: number): NearRow<Fields>[] {
    const wanted = this.#isCoarse ? OVERSAMPLING * limit : limit;
    // The number of expired rows is not known: when they crowd out others, the next round asks for twice as many.
    for (let count = wanted + this.#hidden; ; count *= 2) {
      const visible = this.#nearIndexes(query, count).filter((index) => isVisible(this.#slots[index], now));
      if (visible.length < wanted && count < this.#rows.length) continue;
      const best = new NearestRows<Fields>(limit);
      for (const index of visible) this.#offer(best, index, query);
      return best.sorted();
    }
  }

  /** At most `count` rows near to a unit vector, whatever their slots say: the nearest are among the first half of them. */
  propose(query: Float32Array, count: number): number[] {
    return this.#nearIndexes(query, count).map((index) => this.#rows[index] ?? 0);
  }

  /** The nearest of the given rows, nearest first; rows without a vector are skipped. */
  nearestOf(rows: Iterable<number>, query: Float32Array, limit: number): NearRow<Fields>[] {
    const best = new NearestRows<Fields>(limit);
    for (const row of rows) {
      const index = this.#slotOfRow.get(row);
      if (index !== undefined) this.#offer(best, index, query);
    }
    return best.sorted();
  }

  get(row: number): Float32Array | undefined {
    const index = this.#slotOfRow.get(row);
    if (index === undefined) return undefined;
    return this.#data.slice(index * this.#dimension, (index + 1) * this.#dimension);
  }

  get #isCoarse(): boolean {
    return this.#rows.length > COARSE_ABOVE;
  }

  /** The indexes of the nearest slots, nearest first: exactly, or by 8 bits. All are compared, by native code. */
  #nearIndexes(query: Float32Array, limit: number): number[] {
    const count = Math.min(limit, this.#rows.length);
    if (count === 0) return [];
    const used = this.#rows.length * this.#dimension;
    // Of unit vectors the inner product is the cosine similarity.
    const { keys } = this.#isCoarse
      ? nativeSearch(this.#coarse.subarray(0, used), coarse(query), count)
      : nativeSearch(this.#data.subarray(0, used), query, count);
    return Array.from(keys, Number);
  }

  /** Writes a vector in 8 bits; all of them, when it needs a smaller scale. */
  #writeCoarse(vector: Float32Array, index: number): void {
    const before = this.#scale;
    while (largestOf(vector) * this.#scale > LARGEST_INT8) this.#scale /= 2;
    if (this.#scale === before) writeScaled(vector, this.#scale, this.#coarse, index * this.#dimension);
    else
      writeScaled(this.#data.subarray(0, this.#rows.length * this.#dimension), this.#scale, this.#coarse, 0);
  }

  #offer(best: NearestRows<Fields>, index: number, query: Float32Array): void {
    const similarity = this.#similarity(index, query);
    const slot = this.#slots[index];
    if (slot !== undefined && best.admits(similarity)) {
      best.insert({ row: this.#rows[index] ?? 0, similarity, fields: slot.fields });
    }
  }

  /** Four partial sums, so that the additions do not depend on each other. */
  #similarity(index: number, query: Float32Array): number {
    const data = this.#data;
    const dimension = this.#dimension;
    const offset = index * dimension;
    let a = 0;
    let b = 0;
    let c = 0;
    let d = 0;
    let at = 0;
    for (; at + 3 < dimension; at += 4) {
      a += (data[offset + at] as number) * (query[at] as number);
      b += (data[offset + at + 1] as number) * (query[at + 1] as number);
      c += (data[offset + at + 2] as number) * (query[at + 2] as number);
      d += (data[offset + at + 3] as number) * (query[at + 3] as number);
    }
    for (; at < dimension; at += 1) a += (data[offset + at] as number) * (query[at] as number);
    return a + b + c + d;
  }

  #reserve(count: number): void {
    if (count * this.#dimension <= this.#data.length) return;
    const length = Math.max(FIRST_CAPACITY, 2 * count) * this.#dimension;
    const grown = new Float32Array(length);
    grown.set(this.#data);
    this.#data = grown;
    const grownCoarse = new Int8Array(length);
    grownCoarse.set(this.#coarse);
    this.#coarse = grownCoarse;
  }
}

/** Compares all vectors with a query of the same kind; nearest first. */
function nativeSearch<T extends Float32Array | Int8Array>(vectors: T, query: T, count: number): Matches {
  return exactSearch(vectors, query, query.length, count, MetricKind.IP, 1) as Matches;
}

/** A query in 8 bits; its scale does not change the order. */
function coarse(vector: Float32Array): Int8Array {
  const numbers = new Int8Array(vector.length);
  writeScaled(vector, LARGEST_INT8 / largestOf(vector), numbers, 0);
  return numbers;
}

function largestOf(vector: Float32Array): number {
  let largest = Number.MIN_VALUE;
  for (let at = 0; at < vector.length; at += 1) largest = Math.max(largest, Math.abs(vector[at] ?? 0));
  return largest;
}

/** Writes scaled numbers rounded; in scale they fit 8 bits. */
function writeScaled(numbers: Float32Array, scale: number, into: Int8Array, offset: number): void {
  for (let at = 0; at < numbers.length; at += 1) into[offset + at] = Math.round((numbers[at] ?? 0) * scale);
}

/** The `limit` most similar of the offered rows, in order; ties by row, the older first. */
class NearestRows<Fields> {
  readonly #limit: number;
  readonly #rows: NearRow<Fields>[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** False for most rows of a scan. */
  admits(similarity: number): boolean {
    if (this.#rows.length < this.#limit) return true;
    const last = this.#rows[this.#rows.length - 1];
    return last !== undefined && similarity > last.similarity;
  }

  insert(row: NearRow<Fields>): void {
    const rows = this.#rows;
    let low = 0;
    let high = rows.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((rows[middle]?.similarity ?? 0) >= row.similarity) low = middle + 1;
      else high = middle;
    }
    rows.splice(low, 0, row);
    if (rows.length > this.#limit) rows.pop();
  }

  sorted(): NearRow<Fields>[] {
    return this.#rows;
  }
}
