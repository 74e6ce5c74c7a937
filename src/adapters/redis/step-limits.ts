import type { StepLimits } from "../../domain/memory/batch-steps.ts";
import type { VectorModel } from "./vector-model.ts";

/** A text of so many bytes in which all words differ: some 50 ms in the full-text index, its counters and the log. */
const BYTES = 64 * 1024;

/**
 * What one script takes of memories, so that Redis' one thread is held for some 50 ms. To place a vector in the graph
 * among 10,000 others takes 1 ms with 384 numbers and 2.7 ms with 1,536 (measured), as bytes of text: 512, and 2 for each
 * number.
 */
export function stepLimits({ identity }: Pick<VectorModel, "identity">): StepLimits {
  return { bytes: BYTES, bytesAMemory: 512 + 2 * (identity?.dimension ?? 0) };
}
