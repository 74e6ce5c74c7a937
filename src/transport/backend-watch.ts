import type { Sleep } from "../ports/sleep.ts";

/** Between two looks at the backend. */
const PAUSE_MS = 1000;
/** A backend that is away for so long is missing; a failover is shorter. */
const TOLERATED_MS = 10_000;

export interface BackendWatchPorts {
  /** Resolves when the backend can serve now. */
  readonly check: () => Promise<void>;
  readonly sleep: Sleep;
  /** Milliseconds of a clock that nobody sets. */
  readonly elapsed: () => number;
  /** The backend has been away for ten seconds (`false`), or is there again. */
  readonly onChange: (there: boolean) => void;
}

/** Looks at the backend until it is disposed of. A backend counts as there to begin with, for it was opened. */
export function watchBackend({ check, sleep, elapsed, onChange }: BackendWatchPorts): AsyncDisposable {
  const stopping = new AbortController();
  const watch = async (): Promise<void> => {
    let there = true;
    let lastSeen = elapsed();
    while (!stopping.signal.aborted) {
      const answers = await check().then(
        () => true,
        // Why it does not is told by /ready, and to every call.
        () => false,
      );
      if (answers) lastSeen = elapsed();
      const now = answers || elapsed() - lastSeen < TOLERATED_MS;
      if (now !== there) onChange(now);
      there = now;
      await sleep(PAUSE_MS, stopping.signal);
    }
  };
  // Only the end of the last pause rejects.
  const ended = watch().catch((error: unknown) => {
    if (!stopping.signal.aborted) throw error;
  });
  return {
    [Symbol.asyncDispose]: () => {
      stopping.abort();
      return ended;
    },
  };
}
