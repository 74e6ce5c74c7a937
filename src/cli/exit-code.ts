/**
 * Exit codes. `no` is a negative result, not a failure: a cache miss, an unknown id, or some refused items. The last two
 * are 128 plus the signal number.
 */
export const EXIT_CODE = { ok: 0, no: 1, error: 2, interrupted: 130, terminated: 143 } as const;

export type ExitCode = (typeof EXIT_CODE)[keyof typeof EXIT_CODE];
