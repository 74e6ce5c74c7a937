/** A call that leaves this much time, or sets no deadline at all, is patient: a bulk load rather than somebody who waits. */
const PATIENT_MS = 10_000;
/** How long patient and other calls wait at most, in milliseconds. */
const MAX_PATIENT_WAIT_MS = 5000;
const MAX_WAIT_MS = 500;
/** The rest of the time until the deadline is for the work itself, and for an estimate that is wrong. */
const WAITING_SHARE = 0.5;
/** Bounds of what a refused caller is told to wait. */
const MIN_RETRY_MS = 100;
const MAX_RETRY_MS = 10_000;

export function isPatient(remainingMs: number): boolean {
  return remainingMs > PATIENT_MS;
}

/** How long a call with so much time until its deadline may wait before its work begins, in milliseconds. */
export function longestWaitMs(remainingMs: number): number {
  return isPatient(remainingMs)
    ? MAX_PATIENT_WAIT_MS
    : Math.min(MAX_WAIT_MS, Math.max(0, remainingMs) * WAITING_SHARE);
}

/** When a caller who was refused because of a wait of so long should come back, in milliseconds. */
export function retryAfterMs(waitMs: number): number {
  return Math.round(Math.min(MAX_RETRY_MS, Math.max(MIN_RETRY_MS, waitMs)));
}

/** What waits in one lane of a tenant does not wait for another. */
export type Lane = "LOOKUP" | "PROMPT" | "PATIENT";

/** What somebody waits for does not wait for bulk loads, nor a lookup in the cache, which is to save time, for searches. */
export function laneOf(isLookup: boolean, remainingMs: number): Lane {
  if (isLookup) return "LOOKUP";
  return isPatient(remainingMs) ? "PATIENT" : "PROMPT";
}

/**
 * How the lanes of a tenant share its time when all have work. A lookup is a quarter of a search: at the same share,
 * lookups would take from searches as much time as these have left.
 */
export function weightOfLane(lane: string): number {
  return lane === "PROMPT" ? 3 : 1;
}
