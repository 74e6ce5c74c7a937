import { isFull } from "./sqlite-error.ts";

/** Rows deleted in one transaction. */
export const DELETE_STEP = 500;

/**
 * Calls `step` until it resolves with true, and tells it how many rows to take. On a full disk what is kept back for
 * deletions may be too little for so many at once: then fewer are taken. Rejects when there is no room for a single one.
 */
export async function inSteps(step: (limit: number) => Promise<boolean>): Promise<void> {
  let limit = DELETE_STEP;
  for (let done = false; !done; ) {
    try {
      done = await step(limit);
    } catch (error) {
      if (!isFull(error) || limit === 1) throw error;
      limit = Math.ceil(limit / 4);
    }
  }
}
