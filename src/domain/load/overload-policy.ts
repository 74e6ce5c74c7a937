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
