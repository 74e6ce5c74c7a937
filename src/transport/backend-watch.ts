import type { Sleep } from "../ports/sleep.ts";

/** Interval of the checks. */
const PAUSE_MS = 1000;
/** Longer than a failover: a backend that has not answered for so long is reported as unavailable. */
const TOLERATED_MS = 10_000;

export interface BackendWatchPorts {
  /** Resolves when the backend can serve. */
  readonly check: () => Promise<void>;
  readonly sleep: Sleep;
  /** Milliseconds of a monotonic clock. */
  readonly elapsed: () => number;
  /** Called with `false` when the backend has been unavailable for ten seconds, and with `true` when it answers again. */
  readonly onChange: (there: boolean) => void;
}

/** Checks the backend every second until it is disposed of. At first, the backend counts as available. */
export function watchBackend({ check, sleep, elapsed, onChange }: BackendWatchPorts): AsyncDisposable {
  const stopping = new AbortController();
  const watch = async (): Promise<void> => {
    let there = true;
    let lastSeen = elapsed();
    while (!stopping.signal.aborted) {
      const answers = await check().then(
        () => true,
        // The error is in /ready and in the status of each call.
        () => false,
      );
      if (answers) lastSeen = elapsed();
      const now = answers || elapsed() - lastSeen < TOLERATED_MS;
      if (now !== there) onChange(now);
      there = now;
      await sleep(PAUSE_MS, stopping.signal);
    }
  };
  // Rejects only when the last pause is aborted.
  const finished = watch().catch((error: unknown) => {
    if (!stopping.signal.aborted) throw error;
  });
  return {
    [Symbol.asyncDispose]: () => {
      stopping.abort();
      return finished;
    },
  };
}
