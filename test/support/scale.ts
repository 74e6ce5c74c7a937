/** Whether this is `make test-long`, which sets TEST_LONG. */
export const LONG_RUN = process.env["TEST_LONG"] === "true";

/**
 * Number of repetitions: the small number in `make test`, the large one in `make test-long`. Seeds are the same in both,
 * so the short run is the beginning of the long one.
 */
export function scale(short: number, long: number): number {
  return LONG_RUN ? long : short;
}

/** Sizes of the random tests. */
export const COUNTS = {
  /** Filters compared with matchesFilter, for each store. */
  filters: scale(150, 1000),
  /** Runs of random operations through the ports, some 100 operations each. */
  portRuns: scale(40, 1000),
  /** The same through the gRPC server. */
  grpcRuns: scale(15, 300),
  grpcRunsOnRedis: scale(8, 300),
} as const;

/** Whole numbers below a limit, the same for the same seed: mulberry32. */
export function seededInteger(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit);
  };
}
