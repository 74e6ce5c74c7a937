import type { NamespaceKey } from "../../domain/access/tenancy.ts";
import type { Refusal } from "../../domain/embedding/refusal.ts";
import type { EmbeddedText, EmbedderIdentity } from "./embedder.ts";

/** One version of a memory: its content at this etag. */
export interface MemoryVersion {
  readonly scope: NamespaceKey;
  readonly id: string;
  readonly etag: string;
}

/** A memory whose vector is not made yet. */
export interface PendingMemory extends MemoryVersion {
  /** The text to embed (see indexedText). */
  readonly text: string;
  /** How often it was postponed. */
  readonly attempts: number;
}

/** A pending memory with the vector or the refusal of its text. */
export interface SettledMemory extends MemoryVersion {
  readonly outcome: EmbeddedText | Refusal;
}

/** Which pending memories to read; see EmbeddingQueue. */
export interface PendingQuery {
  readonly limit: number;
  readonly maxBytes: number;
  readonly skip: number;
  readonly now: number;
}

/**
 * The embedding queue: memories of all tenants whose texts must be embedded. The write of a memory adds it in the same
 * atomic step, and a deletion removes it likewise, so that a crash loses none. Rejects with STORE_UNAVAILABLE, STORE_FULL
 * or STORE_CORRUPT.
 */
export interface EmbeddingQueue {
  /**
   * Memories that are due at `now`, in the order of the queue, without the first `skip`; at most `limit`, and at most one
   * beyond `maxBytes` (bytes as stored). Removes expired and unreadable memories from the queue.
   */
  pending(query: PendingQuery): Promise<PendingMemory[]>;

  /**
   * Stores the outcome of each memory that exists, has not expired, still has this etag and is still pending; skips the
   * others. One atomic step. Etags and update times do not change. Resolves with the number of settled memories.
   */
  settle(
    items: readonly SettledMemory[],
    options: { readonly identity: EmbedderIdentity; readonly now: number },
  ): Promise<number>;

  /** Postpones memories until their `dueTime`, and counts one more attempt. Skips memories that have changed. */
  postpone(items: readonly (MemoryVersion & { readonly dueTime: number })[]): Promise<void>;
}
