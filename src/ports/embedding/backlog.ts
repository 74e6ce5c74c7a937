import type { Refusal } from "../../domain/embedding/refusal.ts";
import type { EmbeddingQueue } from "./queue.ts";

export interface BacklogState {
  /** Pending memories. Those whose text is refused do not count. */
  readonly count: number;
  /** When the oldest of them was written; absent when there is none. Milliseconds since the epoch. */
  readonly oldestTime?: number;
  /** When the next one is due, which may be in the past; absent when there is none. */
  readonly nextTime?: number;
}

/** One text that was refused; whose it is stays with its memory. */
export interface RefusedText extends Refusal {
  /** Milliseconds since the epoch; absent: not known. */
  readonly refuseTime?: number;
}

export interface RefusedTexts {
  /** Memories without a vector because their text is refused, those that are being tried again included. */
  readonly count: number;
  /** The latest first; without those that are being tried again. */
  readonly latest: readonly RefusedText[];
}

/**
 * The memories that have no vector yet: in order of their due times, at first that of their write. A search finds a
 * settled one by its vector from then on.
 */
export interface EmbeddingBacklog extends EmbeddingQueue {
  state(): Promise<BacklogState>;

  /** Rejects with STORE_UNAVAILABLE or STORE_CORRUPT. */
  refused(options: { readonly limit: number }): Promise<RefusedTexts>;

  /** Makes due again what is not because its text was refused. */
  retryRefused(): Promise<void>;

  /** Calls back after each write of this process that has put a memory here. */
  onAdded(listener: () => void): void;
}
