import type { NamespaceKey } from "../../domain/access/tenancy.ts";
import type { RecollectError } from "../../domain/errors.ts";
import type { StepLimits } from "../../domain/memory/batch-steps.ts";
import type { DifferingField } from "../../domain/memory/duplicate.ts";
import type { Memory, OnDuplicate, StoredMemory } from "../../domain/memory/memory.ts";
import type { IdempotentRequest } from "../idempotency.ts";

/** A memory to be written, with what the indexes need. The store gives it its session position. */
export interface NewMemory {
  readonly memory: Memory;
  /** See duplicateKey. */
  readonly duplicateKey: string;
  readonly onDuplicate: OnDuplicate;
  /** Terms of the indexed text, in order (see termsOf). */
  readonly terms: readonly string[];
  /**
   * Of unit length; absent when there is none yet. One of another model than the stored ones (by `memory.embedding`, if
   * that is READY) is not kept: the memory is pending instead.
   */
  readonly vector?: Float32Array;
}

/** A new state of a memory, with what the indexes need. */
export type Replacement = Omit<NewMemory, "onDuplicate">;

/** An item of a batch that is refused already; the outcome and the idempotency record have it in its place. */
export interface RefusedMemory {
  readonly refusal: RecollectError;
}

export type CreateOutcome =
  /** Stored, now or by the first of these requests. The memory is as it now is. */
  | { readonly kind: "created"; readonly memory: StoredMemory }
  /** This memory was there, and is now what mergeDuplicate makes of it. `differs` is of the time of the request. */
  | {
      readonly kind: "duplicate";
      readonly memory: StoredMemory;
      readonly differs: readonly DifferingField[];
    }
  /** Nothing stored: taken id, duplicate to be refused, or what `refusal` brought in. */
  | { readonly kind: "refused"; readonly error: RecollectError };

/** The position of the items of one call in a batch that is written in several. */
export interface BatchStep {
  /** The outcomes of the items before these. */
  readonly before: readonly CreateOutcome[];
  /** Whether these are the last of the batch. */
  readonly isLast: boolean;
}

export interface CreateOptions {
  readonly now: number;
  readonly request?: IdempotentRequest;
  /** Absent: the items are the whole batch. */
  readonly step?: BatchStep;
}

/** Writes that are too long for one step; see nextStep. */
export interface SteppedWrites {
  /** How much one call writes at most without keeping other calls waiting: a larger batch is written step by step. */
  readonly stepLimits: StepLimits;
}

/** Creates, changes and deletes single memories; see Memories. */
export interface MemoryWriter extends SteppedWrites {
  /**
   * Writes each item on its own, in order, all in one atomic step together with the idempotency record: an item
   * that is refused does not stop the others, and a crash leaves all of them or none. Earlier items count as
   * being there for the duplicates and ids of later ones. A taken id is refused with MEMORY_ALREADY_EXISTS, before
   * anything is said of its text; a duplicate with MEMORY_DUPLICATE where that is asked for. Of several duplicates
   * the oldest is answered; with RETURN_EXISTING it becomes what mergeDuplicate makes of it, in the same step, and keeps
   * its vector, its session position and its access statistics. A session position is never given twice, not even after
   * a deletion.
   *
   * Resolves with the outcomes of the batch so far, those before the step among them. With a request, the idempotency
   * record says how far its batch has come: a step that was carried out before, by any server, changes nothing, and the
   * answer is what the record says of all items so far; an item whose memory was deleted since is refused with
   * MEMORY_NOT_FOUND. That may be more items than were asked about, or less, where the record was lost with its
   * namespace and another has begun again: the writer of a batch continues behind what is answered. Rejects with
   * REQUEST_ID_REUSED or TOO_MANY_NAMESPACES.
   */
  create(
    scope: NamespaceKey,
    items: readonly (NewMemory | RefusedMemory)[],
    options: CreateOptions,
  ): Promise<CreateOutcome[]>;

  /**
   * Puts a new state in the place of a memory, if that still has this etag. Id, create time and session are those of
   * the old state; the store keeps its session position and its access statistics. Resolves with the new state. Rejects
   * with MEMORY_NOT_FOUND, ETAG_MISMATCH or REQUEST_ID_REUSED. A repeat of a request that was carried out changes
   * nothing and resolves with the memory as it now is.
   */
  replace(
    scope: NamespaceKey,
    expectedEtag: string,
    replacement: Replacement,
    options: { readonly now: number; readonly request?: IdempotentRequest },
  ): Promise<StoredMemory>;

  /**
   * What a `replace` with this request answers when it was carried out before, whatever it asks for; undefined when it
   * was not. Rejects with MEMORY_NOT_FOUND or REQUEST_ID_REUSED.
   */
  replayReplace(
    scope: NamespaceKey,
    id: string,
    options: { readonly now: number; readonly request: IdempotentRequest },
  ): Promise<StoredMemory | undefined>;

  /**
   * Deletes one memory. Rejects with MEMORY_NOT_FOUND, or with ETAG_MISMATCH when an etag is given that is not
   * its. A repeat of a request that was carried out resolves; REQUEST_ID_REUSED as in create.
   */
  delete(
    scope: NamespaceKey,
    id: string,
    options: { readonly etag?: string; readonly now: number; readonly request?: IdempotentRequest },
  ): Promise<void>;
}
