import type { StepLimits } from "../../../domain/memory/batch-steps.ts";
import type { VectorModel } from "../indexes/vector-model.ts";

/**
 * A text of so many bytes in which all words differ takes some 40 ms in the full-text index and its counters (measured:
 * words of four letters; one of 64 KiB 80 ms, and of Chinese, two characters a term, 150 ms).
 */
const BYTES = 40 * 1024;

/**
 * What one script takes of memories, so that Redis' one thread is held for some 50 ms. To place a vector in the graph
 * among 10,000 others takes 1 ms with 384 numbers and 2.7 ms with 1,536 (measured), as bytes of text: 384, and three
 * for two numbers.
 */
export function stepLimits({ identity }: Pick<VectorModel, "identity">): StepLimits {
  return { bytes: BYTES, bytesAMemory: 384 + 1.5 * (identity?.dimension ?? 0) };
}
