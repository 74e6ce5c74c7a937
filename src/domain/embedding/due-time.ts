/**
 * Later than any real time: a memory whose text was refused is not due until retryRefused makes it due again. Half of the
 * safe integer range, so that times can be added to it. adapters/redis/memory/memory-library.lua has the same number.
 */
export const NEVER = 2 ** 52;

/** The due time of a memory whose text is refused now: later than any real time, and in the order of the refusals. */
export function neverDue(now: number): number {
  return NEVER + now;
}

/** When it was refused; undefined for due times of earlier versions, which did not store the time. */
export function refuseTimeOf(dueTime: number): number | undefined {
  return dueTime === Number.MAX_SAFE_INTEGER ? undefined : dueTime - NEVER;
}
