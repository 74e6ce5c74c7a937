/**
 * How a command ended, as the shell sees it. `no` is an answer, not a failure: the cache missed, something that was
 * named is not there, or some of the items were refused. The last two are 128 and the number of the signal.
 */
export const EXIT_CODE = { ok: 0, no: 1, error: 2, interrupted: 130, terminated: 143 } as const;

export type ExitCode = (typeof EXIT_CODE)[keyof typeof EXIT_CODE];
