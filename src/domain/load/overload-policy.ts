/** A call with more time than this until its deadline, or without a deadline, is patient: a bulk load, not an interactive call. */
const PATIENT_MS = 10_000;
/** The longest queueing delay of patient and of other calls, in milliseconds. */
const MAX_PATIENT_WAIT_MS = 5000;
const MAX_WAIT_MS = 500;
/** Share of the time until the deadline; the rest is for the work itself and for errors of the estimate. */
const WAITING_SHARE = 0.5;
/** Bounds of the retry delay that a refused caller gets. */
const MIN_RETRY_MS = 100;
const MAX_RETRY_MS = 10_000;

export function isPatient(remainingMs: number): boolean {
  return remainingMs > PATIENT_MS;
}

/** The longest queueing delay of a call with so much time until its deadline, in milliseconds. */
export function longestWaitMs(remainingMs: number): number {
  return isPatient(remainingMs)
    ? MAX_PATIENT_WAIT_MS
    : Math.min(MAX_WAIT_MS, Math.max(0, remainingMs) * WAITING_SHARE);
}

/** The retry delay of a caller that was refused because of this queueing delay, in milliseconds. */
export function retryAfterMs(waitMs: number): number {
  return Math.round(Math.min(MAX_RETRY_MS, Math.max(MIN_RETRY_MS, waitMs)));
}

/** The lanes of a tenant; see QueuedWork. */
export type Lane = "LOOKUP" | "PROMPT" | "PATIENT";

/** Interactive calls are not queued behind bulk loads, and cache lookups, which are to save time, not behind searches. */
export function laneOf(isLookup: boolean, remainingMs: number): Lane {
  if (isLookup) return "LOOKUP";
  return isPatient(remainingMs) ? "PATIENT" : "PROMPT";
}

/**
 * The weight of a lane when all lanes of a tenant have work. A lookup costs a quarter of a search: with equal weights,
 * lookups would get as much time as searches.
 */
export function weightOfLane(lane: string): number {
  return lane === "PROMPT" ? 3 : 1;
}
