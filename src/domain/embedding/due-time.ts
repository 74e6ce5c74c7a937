/**
 * Later than any clock says: a memory whose text was refused is not due until it is made due again. Half of what a
 * number counts exactly, so that times can be added to it. The same number stands in adapters/redis/memory/memory-library.lua.
 */
export const NEVER = 2 ** 52;

/** The due time of a memory whose text is refused now: never, and in the order of the refusals. */
export function neverDue(now: number): number {
  return NEVER + now;
}

/** When it was refused; undefined for due times of earlier versions, which kept no time. */
export function refuseTimeOf(dueTime: number): number | undefined {
  return dueTime === Number.MAX_SAFE_INTEGER ? undefined : dueTime - NEVER;
}
