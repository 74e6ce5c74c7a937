import type { IdempotentRequest } from "../idempotency.ts";
import type { EmbedderIdentity } from "./embedder.ts";
import type { EmbeddingQueue } from "./queue.ts";

/** The change of all stored vectors to another model. */
export interface Reembedding {
  readonly id: string;
  readonly source: EmbedderIdentity;
  readonly target: EmbedderIdentity;
  readonly state: "RUNNING" | "DONE" | "FAILED";
  /** Why it failed; for people. */
  readonly failure?: string;
  /** Memories that had a vector when it started. */
  readonly memoryCount: number;
  /** Memories that have none of the new model yet, those written since among them. */
  readonly remainingCount: number;
  /** Milliseconds since the epoch. */
  readonly startTime: number;
  readonly endTime?: number;
}

/**
 * Builds a second set of vectors beside the one that is searched, and puts it in its place in one atomic step. What is
 * built survives a restart. There is one at a time, and the latest is remembered. Rejects with STORE_UNAVAILABLE,
 * STORE_FULL or STORE_CORRUPT.
 */
export interface ReembeddingStore {
  /** Of which model the searched vectors are; undefined: vector search is switched off. */
  identity(): EmbedderIdentity | undefined;

  latest(): Promise<Reembedding | undefined>;

  /**
   * Starts one. The one that is running is resolved with when it has this target, and the latest when it was started by
   * this very request. Rejects with REEMBEDDING_CONFLICT when another one runs, when what an earlier one left behind is
   * still being removed, or when the vectors are of the target already; with REQUEST_ID_REUSED.
   */
  start(options: {
    readonly id: string;
    readonly target: EmbedderIdentity;
    readonly now: number;
    readonly request?: IdempotentRequest;
  }): Promise<Reembedding>;

  /**
   * The memories that are still to be embedded, those written meanwhile among them. `settle` gives a memory its second
   * vector, which no search sees; one that is postponed is left out, and is pending after the change.
   */
  readonly work: EmbeddingQueue;

  /**
   * The change: from one moment on all searches compare the new vectors, and all writes belong to the new model. What is
   * still to be embedded, `maxLeft` at most, becomes pending; false, and nothing is changed, when more is left.
   */
  cutOver(options: { readonly maxLeft: number; readonly now: number }): Promise<boolean>;

  /**
   * Calls back in that very moment, before anything else can run, with the model that the vectors are of from now on.
   * A change that another process has made takes place here when this one hears of it, and what the listener resolves
   * with is waited for before.
   */
  onCutOver(listener: (identity: EmbedderIdentity) => void | Promise<void>): void;

  /** Gives up: the new vectors are dropped. */
  fail(failure: string, now: number): Promise<void>;

  /** Removes a bounded part of the vectors that are no longer needed; false when none were left. */
  cleanUp(): Promise<boolean>;
}
