import type { RecollectError } from "../domain/errors.ts";

/** Of what kind a piece of heavy work is. Each kind has a mean duration of its own. */
export type WorkKind = "SEARCH" | "LOOKUP" | "WRITE" | "READ";

/** What has to be known of heavy work before it is done. */
export interface Work {
  readonly tenant: string;
  readonly kind: WorkKind;
  /** How many times as much it is as other work of its kind, such as the memories of a batch; 1 unless it is said. */
  readonly size?: number;
  /** When its result is of no use any more: milliseconds on the clock of `performance.now`; Infinity: never. */
  readonly deadline: number;
}

/**
 * Where heavy work waits for its turn, one for the process: it is done in small pieces, with a turn of the event loop in
 * between, so that connections are read and calls are refused meanwhile. Tenants share the time equally.
 */
export interface WorkQueue {
  /** Whether anything waits for its turn. */
  readonly isWaiting: boolean;
  /**
   * SERVER_OVERLOADED when work that came now would wait for too long, DEADLINE_EXCEEDED when it comes too late; else
   * undefined. Costs microseconds: to be asked before anything is done for a call.
   */
  refusal(work: Work): RecollectError | undefined;
  /**
   * What `task` resolves or rejects with. Starts it at once where nothing waits. Rejects without having started it: with
   * SERVER_OVERLOADED when it would wait for too long, with DEADLINE_EXCEEDED when its deadline has passed, and with the
   * reason of the signal when that aborts first.
   */
  run<T>(work: Work, signal: AbortSignal, task: () => Promise<T>): Promise<T>;
  /** The same for work that is not worth waiting for: undefined where `task` cannot be started at once. */
  runNow<T>(kind: WorkKind, task: () => Promise<T>): Promise<T> | undefined;
}
