import type { Refusal } from "../../domain/embedding/refusal.ts";
import type { EmbeddingQueue } from "./queue.ts";

export interface PendingState {
  /** Pending memories, without those whose text is refused. */
  readonly count: number;
  /** When the oldest of them was written; absent: none. Milliseconds since the epoch. */
  readonly oldestTime?: number;
  /** When the next one is due, which may be in the past; absent: none. */
  readonly nextTime?: number;
}

/** The refusal of one text, without its memory or tenant. */
export interface RefusedText extends Refusal {
  /** Milliseconds since the epoch; absent: unknown. */
  readonly refuseTime?: number;
}

export interface RefusedTexts {
  /** Memories without a vector because their text is refused, including those that are being retried. */
  readonly count: number;
  /** The latest first; without those that are being retried. */
  readonly latest: readonly RefusedText[];
}

/**
 * The memories without a vector, ordered by due time (initially the time of their write). Once settled, a memory is found
 * by its vector.
 */
export interface PendingMemoryQueue extends EmbeddingQueue {
  state(): Promise<PendingState>;

  /** Rejects with STORE_UNAVAILABLE or STORE_CORRUPT. */
  refused(options: { readonly limit: number }): Promise<RefusedTexts>;

  /** Makes memories whose text was refused due again. */
  retryRefused(): Promise<void>;

  /** Calls `listener` after each write of this process that has added a memory. */
  onAdded(listener: () => void): void;
}
