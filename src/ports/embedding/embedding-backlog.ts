import type { Scope } from "../../domain/access/tenancy.ts";
import type { Refusal } from "../../domain/embedding/refusal.ts";
import type { EmbeddedText, EmbedderIdentity } from "./embedder.ts";

/** One state of a memory: its content at this etag. */
export interface MemoryVersion {
  readonly scope: Scope;
  readonly id: string;
  readonly etag: string;
}

/** A memory that waits for its vector. */
export interface PendingMemory extends MemoryVersion {
  /** What is to be embedded (see indexedText). */
  readonly text: string;
  /** How often it was put off. */
  readonly attempts: number;
}

/** What became of the text of a memory. */
export interface SettledMemory extends MemoryVersion {
  readonly outcome: EmbeddedText | Refusal;
}

export interface BacklogState {
  /** Memories that wait for a vector. Those whose text is refused do not count. */
  readonly count: number;
  /** When the one that has waited longest was written; absent when none waits. Milliseconds since the epoch. */
  readonly oldestTime?: number;
  /** When the next one is due, which may be in the past; absent when there is none. */
  readonly nextTime?: number;
}

/**
 * The memories of all tenants that have no vector yet. A write puts one here in the same atomic step in which the
 * memory lands without its vector, and a deletion takes it out in the same way; so nothing is forgotten in a crash.
 * Rejects with STORE_UNAVAILABLE, STORE_FULL or STORE_CORRUPT.
 */
export interface EmbeddingBacklog {
  /**
   * Memories that are due at `now`, in the order of their waiting, without the first `skip`; no more than `limit`, and
   * no more than one beyond `maxBytes` as the store keeps them. Those that have ended, and those that cannot be read,
   * leave the backlog here.
   */
  pending(options: {
    readonly limit: number;
    readonly maxBytes: number;
    readonly skip: number;
    readonly now: number;
  }): Promise<PendingMemory[]>;

  /**
   * Gives each memory its vector, if it is there, has not ended, still has this etag and still waits; the others are
   * passed over. All in one atomic step; a search finds it from then on. Neither etag nor update time change. Resolves
   * with how many were settled.
   */
  settle(
    items: readonly SettledMemory[],
    options: { readonly identity: EmbedderIdentity; readonly now: number },
  ): Promise<number>;

  /** Puts memories off until their `dueTime`, and counts one more attempt. One that has changed is passed over. */
  postpone(items: readonly (MemoryVersion & { readonly dueTime: number })[]): Promise<void>;

  /** Makes due again what is put off because its text was refused. */
  retryRefused(): Promise<void>;

  state(): Promise<BacklogState>;

  /** Calls back after each write of this process that has put a memory here. */
  onAdded(listener: () => void): void;
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

/** A backlog that can say what was refused. */
export interface ObservedBacklog extends EmbeddingBacklog {
  /** Rejects with STORE_UNAVAILABLE or STORE_CORRUPT. */
  refused(options: { readonly limit: number }): Promise<RefusedTexts>;
}
