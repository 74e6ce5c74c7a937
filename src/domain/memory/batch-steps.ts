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
 * `bytesOf` an item is its contentBytes; undefined: the item was refused, and costs nothing.
 */
export function nextStep<Item>(
  items: readonly Item[],
  start: number,
  bytesOf: (item: Item) => number | undefined,
  { bytes, bytesAMemory }: StepLimits,
): Item[] {
  let [end, left] = [start, bytes];
  for (; end < items.length; end += 1) {
    const content = bytesOf(items[end] as Item);
    const cost = content === undefined ? 0 : content + bytesAMemory;
    if (cost > left && end > start) break;
    left = Math.max(0, left - cost);
  }
  return items.slice(start, end);
}
