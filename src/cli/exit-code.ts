/**
 * How a command ended, as the shell sees it. `no` is an answer, not a failure: the cache missed, or the server
 * refused some of the items.
 */
export const EXIT_CODE = { ok: 0, no: 1, error: 2 } as const;

export type ExitCode = (typeof EXIT_CODE)[keyof typeof EXIT_CODE];
