import { isFull } from "./errors.ts";

/** What one transaction deletes at most. */
export interface DeleteStep {
  readonly rows: number;
  /** Bytes of what goes with them from the indexes: less rows of long ones, which are as much work as to write them. */
  readonly bytes: number;
}

/** Some 10 ms, and 50 when the full-text index merges what it has written. */
export const DELETE_STEP: DeleteStep = { rows: 250, bytes: 64 * 1024 };

/**
 * Calls `step` until it resolves with true, and tells it how much to take. On a full disk what is kept back for
 * deletions may be too little for so much at once: then less is taken. Rejects when there is no room for a single row.
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
