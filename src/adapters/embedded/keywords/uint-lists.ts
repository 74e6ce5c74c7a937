/** A list of numbers in UintLists; only UintLists changes it. */
export interface UintList {
  /** Index of its first number in `data`. */
  offset: number;
  length: number;
  capacity: number;
}

const FIRST_CAPACITY = 1024;

/**
 * Many lists of unsigned 32-bit numbers in one typed array: an array for each would take some 200 bytes more, and most terms
 * occur in one or two documents. A list has room for a power of two; a longer one moves, and its place is used again.
 */
export class UintLists {
  #data = new Uint32Array(FIRST_CAPACITY);
  #end = 0;
  /** Offsets of free places, by the binary logarithm of their capacity. */
  readonly #free: number[][] = [];

  /** All lists; replaced when it grows. */
  get data(): Uint32Array {
    return this.#data;
  }

  get memoryBytes(): number {
    return this.#data.byteLength;
  }

  create(capacity = 0): UintList {
    const list = { offset: 0, length: 0, capacity: 0 };
    if (capacity > 0) this.#move(list, capacity);
    return list;
  }

  push(list: UintList, number: number): void {
    this.#data[this.open(list, list.length, 1)] = number;
  }

  /** Makes room for `count` numbers before the one at `at`, and returns its index in `data`. */
  open(list: UintList, at: number, count: number): number {
    const length = list.length + count;
    if (length > list.capacity) this.#move(list, length);
    const place = list.offset + at;
    if (at < list.length) this.#data.copyWithin(place + count, place, list.offset + list.length);
    list.length = length;
    return place;
  }

  /** Removes `count` numbers from the one at `at` on. */
  close(list: UintList, at: number, count: number): void {
    const place = list.offset + at;
    this.#data.copyWithin(place, place + count, list.offset + list.length);
    list.length -= count;
  }

  /** Makes a list empty and gives its place back. */
  release(list: UintList): void {
    if (list.capacity > 0) this.#freeOf(list.capacity).push(list.offset);
    list.offset = 0;
    list.length = 0;
    list.capacity = 0;
  }

  #move(list: UintList, length: number): void {
    const capacity = 2 ** Math.ceil(Math.log2(length));
    const offset = this.#freeOf(capacity).pop() ?? this.#append(capacity);
    this.#data.copyWithin(offset, list.offset, list.offset + list.length);
    if (list.capacity > 0) this.#freeOf(list.capacity).push(list.offset);
    list.offset = offset;
    list.capacity = capacity;
  }

  #append(capacity: number): number {
    const offset = this.#end;
    this.#end += capacity;
    if (this.#end > this.#data.length) {
      const grown = new Uint32Array(Math.max(2 * this.#data.length, this.#end));
      grown.set(this.#data);
      this.#data = grown;
    }
    return offset;
  }

  #freeOf(capacity: number): number[] {
    const at = Math.log2(capacity);
    while (this.#free.length <= at) this.#free.push([]);
    return this.#free[at] as number[];
  }
}
