import type { NamespaceKey } from "../../domain/access/tenancy.ts";
import type { RecollectError } from "../../domain/errors.ts";
import type { StepLimits } from "../../domain/memory/batch-steps.ts";
import type { ChangeKind } from "../../domain/memory/changes.ts";
import type { DifferingField } from "../../domain/memory/duplicate.ts";
import type { Memory, OnDuplicate, StoredMemory } from "../../domain/memory/memory.ts";
import type { IdempotentRequest } from "../idempotency.ts";

/** A memory to be written, with the input of the indexes. The store assigns its session position. */
export interface NewMemory {
  readonly memory: Memory;
  /** See duplicateKey. */
  readonly duplicateKey: string;
  /** See textKey. */
  readonly textKey: string;
  readonly onDuplicate: OnDuplicate;
  /** See recalledSince; absent: the memory is no recall loop. */
  readonly recalledSince?: number;
  /** Terms of the indexed text, in order (see termsOf). */
  readonly terms: readonly string[];
  /**
   * Of unit length; absent: none yet. A vector of another model than the stored ones (by `memory.embedding`, if that is
   * READY) is dropped, and the memory is pending.
   */
  readonly vector?: Float32Array;
}

/** A new version of a memory, with the input of the indexes. */
export type Replacement = Omit<NewMemory, "onDuplicate" | "recalledSince">;

/** An item that the caller has refused; the outcomes and the idempotency record contain it in its place. */
export interface RefusedMemory {
  readonly refusal: RecollectError;
}

export type CreateOutcome =
  /** Stored, now or by the original request of a replay. `memory` is its current version. */
  | { readonly kind: "created"; readonly memory: StoredMemory }
  /** A duplicate of this memory, which mergeDuplicate has updated. `differs` is from the time of the request. */
  | {
      readonly kind: "duplicate";
      readonly memory: StoredMemory;
      readonly differs: readonly DifferingField[];
      /** It is no duplicate, but a recall loop of this memory, which is unchanged. */
      readonly recallLoop?: true;
    }
  /** Not stored: an existing id, a duplicate to be refused, or a RefusedMemory. */
  | { readonly kind: "refused"; readonly error: RecollectError };

/** The position of the items of one call in a batch that is written in several calls. */
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

export interface ReplaceOptions {
  readonly now: number;
  readonly request?: IdempotentRequest;
  /** How the change feed names it; default UPDATED. */
  readonly change?: ChangeKind;
  /** The replaced version holds what is erased: it becomes no revision, and the revisions of the memory are deleted. */
  readonly forgets?: boolean;
}

/** Writes of batches that are too large for one step; see nextStep. */
export interface SteppedWrites {
  /** Limits of one call, so that it does not delay other calls for long: a larger batch is written step by step. */
  readonly stepLimits: StepLimits;
}

/** Creates, changes and deletes single memories; see Memories. What it replaces becomes a revision: see MemoryRevisions. */
export interface MemoryWriter extends SteppedWrites {
  /**
   * Writes each item on its own, in order, in one atomic step together with the idempotency record: a refused item does not
   * stop the others, and a crash leaves all of them or none. Later items see the ids and texts of earlier ones. An existing
   * id is refused with MEMORY_ALREADY_EXISTS, before the check for duplicates; a duplicate with MEMORY_DUPLICATE if
   * `onDuplicate` is REFUSE. Of several duplicates the oldest counts, by (createTime, id); with RETURN_EXISTING mergeDuplicate updates it in the
   * same step, and it keeps its vector, its session position and its access statistics. A session position is never
   * assigned twice, not even after a deletion.
   *
   * An item with `recalledSince` that is no duplicate is compared with the ACTIVE memories that have its textKey: nothing is
   * written when one was accessed since then (see recall-loop.ts). Accesses that this store object has counted are included;
   * those of others when they are flushed.
   *
   * An item whose memory supersedes others is the only one of its call, and has `onDuplicate` ALLOW: in the same step these
   * become `superseded` (domain/memory/supersession.ts), and keep vector, session position and access statistics. It is
   * refused with MEMORY_NOT_FOUND or MEMORY_NOT_ACTIVE.
   *
   * Resolves with the outcomes of the batch so far, including those before the step. With a request, the idempotency record
   * stores the progress of its batch: a step that any server has completed before changes nothing, and resolves with the
   * recorded outcomes of all items so far; an item whose memory was deleted since is refused with MEMORY_NOT_FOUND. These
   * may be more items than in this call, or fewer when the record was deleted with its namespace and another retry has
   * started again: the caller continues after the items in the result. Rejects with REQUEST_ID_REUSED or
   * TOO_MANY_NAMESPACES.
   */
  create(
    namespaceKey: NamespaceKey,
    items: readonly (NewMemory | RefusedMemory)[],
    options: CreateOptions,
  ): Promise<CreateOutcome[]>;

  /**
   * Replaces a memory with a new version, if it still has this etag. Id, create time and session must be those of the old
   * version; session position and access statistics stay. Resolves with the new version. Rejects with MEMORY_NOT_FOUND,
   * ETAG_MISMATCH or REQUEST_ID_REUSED. A replay of a completed request changes nothing and resolves with the current
   * version.
   */
  replace(
    namespaceKey: NamespaceKey,
    expectedEtag: string,
    replacement: Replacement,
    options: ReplaceOptions,
  ): Promise<StoredMemory>;

  /**
   * The result of a replay of `replace` with this request; undefined when the request was not completed before. Rejects
   * with MEMORY_NOT_FOUND or REQUEST_ID_REUSED.
   */
  replayReplace(
    namespaceKey: NamespaceKey,
    id: string,
    options: { readonly now: number; readonly request: IdempotentRequest },
  ): Promise<StoredMemory | undefined>;

  /**
   * Deletes one memory. Rejects with MEMORY_NOT_FOUND, or with ETAG_MISMATCH when `etag` is not its etag. A replay of a
   * completed request resolves. Rejects with REQUEST_ID_REUSED as in create.
   */
  delete(
    namespaceKey: NamespaceKey,
    id: string,
    options: { readonly etag?: string; readonly now: number; readonly request?: IdempotentRequest },
  ): Promise<void>;
}
