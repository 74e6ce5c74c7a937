import type { RecollectError } from "../domain/errors.ts";

/** The kind of a piece of heavy work. Each kind has a mean duration of its own. */
export type WorkKind = "SEARCH" | "LOOKUP" | "WRITE" | "READ";

/** A piece of heavy work, as the queue needs to know it. */
export interface Work {
  readonly tenant: string;
  readonly kind: WorkKind;
  /** Its size relative to other work of its kind, such as the memories of a batch; default 1. */
  readonly size?: number;
  /** From when on its result is useless: milliseconds on the clock of `performance.now`; Infinity: never. */
  readonly deadline: number;
}

/**
 * The queue of heavy work, one for the process. Pieces run one after the other with the event loop in between, so that
 * connections are read and calls are refused meanwhile. Tenants share the time equally.
 */
export interface WorkQueue {
  /** Whether any work is queued. */
  readonly isWaiting: boolean;
  /**
   * SERVER_OVERLOADED when work that came now would wait for too long, DEADLINE_EXCEEDED when it comes too late; else
   * undefined. Costs microseconds: ask it before anything is done for a call.
   */
  refusal(work: Work): RecollectError | undefined;
  /**
   * What `task` resolves or rejects with. Starts it at once when nothing is queued. Rejects without having started it: with
   * SERVER_OVERLOADED when it would wait for too long, with DEADLINE_EXCEEDED when its deadline has passed, and with the
   * reason of the signal when that aborts first.
   */
  run<T>(work: Work, signal: AbortSignal, task: () => Promise<T>): Promise<T>;
  /** The same for optional work: undefined when `task` cannot be started at once. */
  runNow<T>(kind: WorkKind, task: () => Promise<T>): Promise<T> | undefined;
}
