/** Bytes of an answer that gRPC clients take unless told otherwise: 4 MiB. */
export const MAX_ANSWER_BYTES = 4 * 1024 * 1024;

/** How many bytes an answer may take: what the request says, and the usual when that is 0. */
export function answerBytesOf(asked: number, usual = MAX_ANSWER_BYTES): number {
  return asked === 0 ? usual : asked;
}

/** An answer that may have to leave out its last items. Sizes are bytes of its encoding. */
export interface SizedAnswer<Item> {
  readonly items: readonly Item[];
  /** Bytes that an item takes at most; cheap, for most answers are small. */
  readonly atMost: (item: Item) => number;
  /** Bytes that an item takes. */
  readonly bytesOf: (item: Item) => number;
  /** Bytes of the rest of the answer when it holds the first `kept` items. */
  readonly beside: (kept: number) => number;
}

/**
 * How many of the first items an answer of at most `maxBytes` can hold; one at least, unless there is none: with fewer, a
 * caller who asks for the rest would never get on.
 */
export function countFitting<Item>(answer: SizedAnswer<Item>, maxBytes: number): number {
  const { items, atMost, bytesOf, beside } = answer;
  if (items.length === 0 || isWithin(answer, atMost, maxBytes)) return items.length;
  /** Bytes of the first items, by how many they are. */
  const bytesOfFirst = [0];
  let bytes = 0;
  for (const item of items) {
    bytes += bytesOf(item);
    if (bytes > maxBytes) break;
    bytesOfFirst.push(bytes);
  }
  // From the end: the rest may take less with one item more, which needs no page token behind it.
  for (let kept = bytesOfFirst.length - 1; kept > 1; kept -= 1) {
    if ((bytesOfFirst[kept] ?? 0) + beside(kept) <= maxBytes) return kept;
  }
  return 1;
}

/** Whether an answer of at most `maxBytes` can hold all items. */
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
