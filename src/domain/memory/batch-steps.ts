import type { JsonObject } from "../../lib/json.ts";

/**
 * How much a store writes in one step without delaying other calls for more than some 50 ms. A memory counts its content
 * (see contentBytes) and, for its index entries, `bytesAMemory` more.
 */
export interface StepLimits {
  readonly bytes: number;
  readonly bytesAMemory: number;
}

/** The variable size of a memory: bytes of its text, and of the other fields that may be long. */
export function contentBytes(content: {
  readonly text: string;
  readonly tags: readonly string[];
  readonly metadata: JsonObject;
  readonly sourceIds: readonly string[];
}): number {
  const { text, tags, metadata, sourceIds } = content;
  return Buffer.byteLength(text) + Buffer.byteLength(JSON.stringify([tags, metadata, sourceIds]));
}

/**
 * The items of a batch, from `start` on, that are written in the next step: as many as the limits allow, and one at least.
 * `bytesOf` an item is its contentBytes; undefined: the item was refused, and costs nothing. An item that `isAlone` has a
 * step of its own.
 */
export function nextStep<Item>(
  items: readonly Item[],
  start: number,
  bytesOf: (item: Item) => number | undefined,
  { bytes, bytesAMemory }: StepLimits,
  isAlone: (item: Item) => boolean = () => false,
): Item[] {
  let [end, left] = [start, bytes];
  for (; end < items.length; end += 1) {
    const content = bytesOf(items[end] as Item);
    const cost = content === undefined ? 0 : content + bytesAMemory;
    if (end > start && (cost > left || isAlone(items[end] as Item))) break;
    left = Math.max(0, left - cost);
    if (isAlone(items[end] as Item)) return items.slice(start, end + 1);
  }
  return items.slice(start, end);
}
