/** Limits of a batch. The API accepts 200 items and 8 MiB; smaller batches return sooner and lose less on failure. */
export interface BatchLimits {
  readonly maxItems: number;
  readonly maxBytes: number;
}

export const BATCH_LIMITS: BatchLimits = { maxItems: 100, maxBytes: 4 * 1024 * 1024 };

/** Groups items in order. An oversized item gets a batch of its own; the server decides about it. */
export async function* inBatches<T>(
  items: AsyncIterable<T> | Iterable<T>,
  sizeOf: (item: T) => number,
  limits: BatchLimits = BATCH_LIMITS,
): AsyncGenerator<T[]> {
  let batch: T[] = [];
  let bytes = 0;
  for await (const item of items) {
    const size = sizeOf(item);
    if (batch.length > 0 && (batch.length >= limits.maxItems || bytes + size > limits.maxBytes)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(item);
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}
