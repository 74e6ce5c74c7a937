import type { NamespaceKey } from "../../domain/access/tenancy.ts";
import type { Refusal } from "../../domain/embedding/refusal.ts";
import type { EmbeddedText, EmbedderIdentity } from "./embedder.ts";

/** One state of a memory: its content at this etag. */
export interface MemoryVersion {
  readonly scope: NamespaceKey;
  readonly id: string;
  readonly etag: string;
}

/** A memory without a vector, whose text is to be embedded. */
export interface PendingMemory extends MemoryVersion {
  /** What is to be embedded (see indexedText). */
  readonly text: string;
  /** How often it was postponed. */
  readonly attempts: number;
}

/** A pending memory with the vector of its text, or why the text has none. */
export interface SettledMemory extends MemoryVersion {
  readonly outcome: EmbeddedText | Refusal;
}

/**
 * Memories of all tenants whose texts are to be embedded. Stores put them here in the same atomic step in which the
 * memory is written, and a deletion takes them out in the same way; so none is lost in a crash. Rejects with
 * STORE_UNAVAILABLE, STORE_FULL or STORE_CORRUPT.
 */
export interface EmbeddingQueue {
  /**
   * Memories that are due at `now`, in the order of the queue, without the first `skip`; no more than `limit`, and no
   * more than one beyond `maxBytes` as the store keeps them. Expired ones, and those that cannot be read, leave the queue
   * here.
   */
  pending(options: {
    readonly limit: number;
    readonly maxBytes: number;
    readonly skip: number;
    readonly now: number;
  }): Promise<PendingMemory[]>;

  /**
   * Gives each memory its vector, if it is there, has not expired, still has this etag and is still pending; the others
   * are passed over. All in one atomic step. Neither etag nor update time change. Resolves with how many were settled.
   */
  settle(
    items: readonly SettledMemory[],
    options: { readonly identity: EmbedderIdentity; readonly now: number },
  ): Promise<number>;

  /** Puts memories off until their `dueTime`, and counts one more attempt. One that has changed is passed over. */
  postpone(items: readonly (MemoryVersion & { readonly dueTime: number })[]): Promise<void>;
}
