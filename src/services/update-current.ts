import { RecollectError } from "../domain/errors.ts";

/** What is updated may change between its read and its write. */
const MAX_ATTEMPTS = 5;

/**
 * Runs an attempt that reads what it updates and writes it if it has not changed. With an etag of the caller (empty: none) it
 * is run once; without one again after each ETAG_MISMATCH, with which the last attempt rejects.
 */
export async function updateCurrent<T>(etag: string, attempt: () => Promise<T>): Promise<T> {
  for (let attempts = 1; ; attempts += 1) {
    try {
      return await attempt();
    } catch (error) {
      const changed = error instanceof RecollectError && error.reason === "ETAG_MISMATCH";
      if (!changed || etag !== "" || attempts === MAX_ATTEMPTS) throw error;
    }
  }
}
