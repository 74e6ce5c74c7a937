import type { IdempotentRequest } from "../idempotency.ts";
import type { EmbedderIdentity } from "./embedder.ts";
import type { EmbeddingQueue } from "./queue.ts";

/** The change of all stored vectors to another model. */
export interface Reembedding {
  readonly id: string;
  readonly source: EmbedderIdentity;
  readonly target: EmbedderIdentity;
  readonly state: "RUNNING" | "DONE" | "FAILED";
  /** Why it failed, for operators. */
  readonly failure?: string;
  /** Memories that had a vector when it started. */
  readonly memoryCount: number;
  /** Memories without a vector of the new model, including those written since the start. */
  readonly remainingCount: number;
  /** Milliseconds since the epoch. */
  readonly startTime: number;
  readonly endTime?: number;
}

/** See ReembeddingStore.start. */
export interface StartReembeddingOptions {
  readonly id: string;
  readonly target: EmbedderIdentity;
  readonly now: number;
  readonly request?: IdempotentRequest;
}

/**
 * Builds a second set of vectors beside the searched one, and replaces that in one atomic step (cut-over). The new vectors
 * survive a restart. One re-embedding at a time; the latest is stored. Rejects with STORE_UNAVAILABLE, STORE_FULL or
 * STORE_CORRUPT.
 */
export interface ReembeddingStore {
  /** The model of the searched vectors; undefined: vector search is switched off. */
  identity(): EmbedderIdentity | undefined;

  latest(): Promise<Reembedding | undefined>;

  /**
   * Starts one. Resolves with the running one when it has this target, and with the latest one when this request started
   * it. Rejects with REEMBEDDING_CONFLICT when another one runs, when vectors of an earlier one are still being removed, or
   * when the vectors are of the target already; with REQUEST_ID_REUSED.
   */
  start(options: StartReembeddingOptions): Promise<Reembedding>;

  /**
   * The memories to embed with the new model, including those written meanwhile. `settle` stores the second vector of a
   * memory, which no search reads; a postponed memory is left out, and is pending after the cut-over.
   */
  readonly work: EmbeddingQueue;

  /**
   * The cut-over: an atomic switch of all searches and writes to the new model. Memories without a new vector, `maxLeft` at
   * most, become pending; with more of them it resolves with false and changes nothing.
   */
  cutOver(options: { readonly maxLeft: number; readonly now: number }): Promise<boolean>;

  /**
   * Calls `listener` with the new model at the cut-over, synchronously, before any other code runs. A cut-over by another
   * process takes effect here when this process is notified; the store first awaits the listener.
   */
  onCutOver(listener: (identity: EmbedderIdentity) => void | Promise<void>): void;

  /** Marks the running one as failed, and drops its vectors. */
  fail(failure: string, now: number): Promise<void>;

  /** Removes a bounded number of obsolete vectors; false when none were left. */
  cleanUp(): Promise<boolean>;
}
