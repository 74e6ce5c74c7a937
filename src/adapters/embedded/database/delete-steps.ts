import { isFull } from "./errors.ts";

/** The most that one transaction deletes. */
export interface DeleteStep {
  readonly rows: number;
  /** Bytes of index entries deleted with the rows: long memories are deleted in smaller steps. */
  readonly bytes: number;
}

/**
 * Some 40 ms: FTS5 takes 4 to 15 microseconds to remove a term for good (see FORMAT_6), and 1 ms for a memory of 60 words.
 */
export const DELETE_STEP: DeleteStep = { rows: 250, bytes: 16 * 1024 };

/**
 * Calls `step` with the size of the step until it resolves with true. On a full disk the reserved space may be too small
 * for a step: then the step is made smaller. Rejects when there is no space to delete a single row.
 */
export async function inSteps(step: (most: DeleteStep) => Promise<boolean>): Promise<void> {
  let most = DELETE_STEP;
  for (let done = false; !done; ) {
    try {
      done = await step(most);
    } catch (error) {
      if (!isFull(error) || most.rows === 1) throw error;
      most = { rows: Math.ceil(most.rows / 4), bytes: Math.ceil(most.bytes / 4) };
    }
  }
}
