import { setTimeout } from "node:timers/promises";
import type { Sleep } from "../../ports/sleep.ts";

/** Waits by the timers of the process. */
export const sleep: Sleep = async (milliseconds, signal) => {
  try {
    await setTimeout(milliseconds, undefined, { signal });
  } catch (error) {
    // Node rejects with an AbortError whose cause is the reason.
    signal.throwIfAborted();
    throw error;
  }
};
