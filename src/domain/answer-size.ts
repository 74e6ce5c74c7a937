/** The default message limit of gRPC clients, in bytes. */
export const MAX_ANSWER_BYTES = 4 * 1024 * 1024;

/** How many bytes an answer may take: as requested, or the default when that is 0. */
export function answerBytesOf(requested: number, defaultBytes = MAX_ANSWER_BYTES): number {
  return requested === 0 ? defaultBytes : requested;
}

/** An answer that may be truncated to its first items. Sizes are bytes of its encoding. */
export interface SizedAnswer<Item> {
  readonly items: readonly Item[];
  /** An upper bound of the bytes of an item; cheap, because most answers are small. */
  readonly atMost: (item: Item) => number;
  /** The bytes of an item. */
  readonly bytesOf: (item: Item) => number;
  /** The bytes of the rest of the answer when it contains the first `count` items. */
  readonly beside: (count: number) => number;
}

/**
 * How many of the first items fit into an answer of at most `maxBytes`; at least one, unless there are none, so that a
 * caller who requests the rest makes progress.
 */
export function countFitting<Item>(answer: SizedAnswer<Item>, maxBytes: number): number {
  const { items, atMost, bytesOf, beside } = answer;
  if (items.length === 0 || isWithin(answer, atMost, maxBytes)) return items.length;
  /** At index n, the bytes of the first n items. */
  const bytesOfFirst = [0];
  let bytes = 0;
  for (const item of items) {
    bytes += bytesOf(item);
    if (bytes > maxBytes) break;
    bytesOfFirst.push(bytes);
  }
  // From the end: with all items there is no page token, so the rest may take less with one item more.
  for (let count = bytesOfFirst.length - 1; count > 1; count -= 1) {
    if ((bytesOfFirst[count] ?? 0) + beside(count) <= maxBytes) return count;
  }
  return 1;
}

/** Whether all items fit into an answer of at most `maxBytes`. */
export function allFit<Item>(answer: SizedAnswer<Item>, maxBytes: number): boolean {
  return isWithin(answer, answer.atMost, maxBytes) || isWithin(answer, answer.bytesOf, maxBytes);
}

function isWithin<Item>(
  { items, beside }: SizedAnswer<Item>,
  sizeOf: (item: Item) => number,
  maxBytes: number,
): boolean {
  let bytes = beside(items.length);
  for (const item of items) {
    if (bytes > maxBytes) return false;
    bytes += sizeOf(item);
  }
  return bytes <= maxBytes;
}
