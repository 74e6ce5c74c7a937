import type { StepLimits } from "../../../domain/memory/batch-steps.ts";
import type { VectorModel } from "../indexes/vector-model.ts";

/**
 * Indexing and counting a text of so many bytes in which all words differ takes some 40 ms (measured:
 * words of four letters; one of 64 KiB 80 ms, and of Chinese, two characters a term, 150 ms).
 */
const BYTES = 40 * 1024;

/**
 * Size of the memories that one script writes, so that it blocks Redis' one thread for some 50 ms. Adding a vector to a
 * graph of 10,000 takes 1 ms with 384 numbers and 2.7 ms with 1,536 (measured); counted as bytes of text: 384, plus three
 * for every two numbers.
 */
export function stepLimits({ identity }: Pick<VectorModel, "identity">): StepLimits {
  return { bytes: BYTES, bytesAMemory: 384 + 1.5 * (identity?.dimension ?? 0) };
}
