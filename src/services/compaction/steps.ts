import { RecollectError } from "../../domain/errors.ts";
import type { Sleep } from "../../ports/sleep.ts";
import type { WorkKind, WorkQueue } from "../../ports/work-queue.ts";

const MIN_RETRY_MS = 100;

/** Runs the pieces of a compaction in the work queue, where calls go before them. */
export interface Steps {
  readonly signal: AbortSignal;
  run<T>(kind: WorkKind, task: () => Promise<T>): Promise<T>;
}

/** Pieces of a call: refused like other work, and dropped at its deadline. */
export function stepsOfCall(
  work: WorkQueue,
  tenant: string,
  call: { readonly signal: AbortSignal; readonly deadline: number },
): Steps {
  const { signal, deadline } = call;
  return {
    signal,
    run: (kind, task) => work.run({ tenant, kind, deadline }, signal, task),
  };
}

/** Pieces in the background: they have no deadline, and wait when the server is overloaded. */
export function stepsInBackground(work: WorkQueue, tenant: string, sleep: Sleep, signal: AbortSignal): Steps {
  const run = async <T>(kind: WorkKind, task: () => Promise<T>): Promise<T> => {
    while (!signal.aborted) {
      try {
        return await work.run({ tenant, kind, deadline: Number.POSITIVE_INFINITY }, signal, task);
      } catch (error) {
        if (!(error instanceof RecollectError) || error.reason !== "SERVER_OVERLOADED") throw error;
        await sleep(Math.max(MIN_RETRY_MS, error.detail.retryAfterMs ?? 0), signal);
      }
    }
    throw signal.reason;
  };
  return { signal, run };
}
