import type { UintList } from "./uint-lists.ts";

/** Numbers of a posting: the slot of the document, and how often the term occurs in it. */
export const POSTING = 2;

/** The index in `data` of the first posting of a slot that is not below `slot`, from the posting at index `from` on. */
export function findPosting(data: Uint32Array, list: UintList, slot: number, from = list.offset): number {
  let low = 0;
  let high = (list.offset + list.length - from) / POSTING;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((data[from + middle * POSTING] as number) < slot) low = middle + 1;
    else high = middle;
  }
  return from + low * POSTING;
}
