import type { Scope } from "../../domain/access/tenancy.ts";
import type { RecollectError } from "../../domain/errors.ts";
import type { StepLimits } from "../../domain/memory/batch-steps.ts";
import type { CorpusStatistics, DocumentTerms } from "../../domain/memory/bm25.ts";
import type { DifferingField } from "../../domain/memory/duplicate.ts";
import type { MemoryFilter } from "../../domain/memory/filter.ts";
import type { Memory, OnDuplicate, StoredMemory } from "../../domain/memory/memory.ts";
import type { SearchPlan } from "../../domain/memory/search-plan.ts";
import type { EmbedderIdentity } from "../embedding/embedder.ts";
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
   * that is READY) is not kept: the memory waits for its vector instead.
   */
  readonly vector?: Float32Array;
}

/** A new state of a memory, with what the indexes need. */
export type Replacement = Omit<NewMemory, "onDuplicate">;

/** A memory that was exported, with the session position that it had (0: none), and with what the indexes need. */
export type ImportedMemory = Replacement;

/** What became of an imported memory: stored, or passed over because its id is taken. */
export type ImportOutcome = "imported" | "skipped";

/** An item of a batch that is refused already; it takes its place in the outcome and in the request record. */
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

/** Where the items of one call stand in a batch that is written in several. */
export interface BatchStep {
  /** What became of the items before these. */
  readonly before: readonly CreateOutcome[];
  /** Whether none are left behind these. */
  readonly isLast: boolean;
}

export interface CreateOptions {
  readonly now: number;
  readonly request?: IdempotentRequest;
  /** Absent: the items are the whole batch. */
  readonly step?: BatchStep;
}

export interface ListPosition {
  readonly createTime: number;
  readonly id: string;
}

/** What a search asks of the engines. At least one arm is there. */
export interface CandidateQuery {
  /** Of unit length. Asks for the nearest memories. */
  readonly vector?: Float32Array;
  /** The model that made the vector. Throws ModelChanged when the stored ones are of another. */
  readonly model?: EmbedderIdentity;
  /**
   * Distinct terms, as termsOf makes them. Asks for memories that contain any of those that chooseTerms picks: a
   * memory that holds nothing but very common words of the query may be passed over.
   */
  readonly terms?: readonly string[];
  readonly filter: MemoryFilter;
  /** Candidates an arm, at most. */
  readonly limit: number;
}

/** What the ranking needs to know of a candidate. */
export interface CandidateFacts {
  readonly id: string;
  /** event_time or, failing that, create_time; milliseconds. */
  readonly time: number;
  readonly importance: number;
}

export interface Candidates {
  /** The nearest, nearest first. */
  readonly nearest: readonly (CandidateFacts & { readonly similarity: number })[];
  /** Memories that contain terms of the query, in an order of the engine's own; the score is the caller's. */
  readonly containing: readonly (CandidateFacts & { readonly document: DocumentTerms })[];
  /**
   * Of all memories that the store holds in the namespace: in any state, and ended ones until they are swept. All
   * zero when no terms were asked for.
   */
  readonly corpus: CorpusStatistics;
  /** How they were found. */
  readonly plan: SearchPlan;
}

/**
 * Keeps memories and finds candidates. Every method works inside one scope and sees nothing else; an unknown
 * namespace is empty. A write that has resolved is durable and is found by every later read. A rejected write
 * has changed nothing. Reads leave out what has expired at `now`. Rejects with STORE_UNAVAILABLE (also when it is
 * closed), STORE_FULL or STORE_CORRUPT; with the latter also in place of "not there" when the memory may be one that
 * was lost.
 */
export interface MemoryStore {
  /**
   * How much one call of `create` or `import` writes at most without keeping other calls waiting: a larger batch is
   * written step by step (see nextStep).
   */
  readonly stepLimits: StepLimits;

  /**
   * Writes each item on its own, in order, all in one atomic step together with the request record: an item
   * that is refused does not stop the others, and a crash leaves all of them or none. Earlier items count as
   * being there for the duplicates and ids of later ones. A taken id is refused with MEMORY_ALREADY_EXISTS, before
   * anything is said of its text; a duplicate with MEMORY_DUPLICATE where that is asked for. Of several duplicates
   * the oldest is answered; with RETURN_EXISTING it becomes what mergeDuplicate makes of it, in the same step, and keeps
   * its vector, its session position and its access statistics. A session position is never given twice, not even after a deletion.
   *
   * Resolves with what became of the items of the batch so far, those before the step among them. With a request, the
   * record says how far its batch has come: a step that was carried out before, by whomever, changes nothing, and the
   * answer is what the record says of all items so far; an item whose memory is gone since is refused with
   * MEMORY_NOT_FOUND. That may be more items than were asked about, or less, where the record was lost with its
   * namespace and another has begun again: whoever writes a batch goes on behind what is answered. Rejects with
   * REQUEST_ID_REUSED or TOO_MANY_NAMESPACES.
   */
  create(
    scope: Scope,
    items: readonly (NewMemory | RefusedMemory)[],
    options: CreateOptions,
  ): Promise<CreateOutcome[]>;

  /**
   * Writes memories as they are, in order, all in one atomic step: ids, times, states and etags stay, and a text that
   * is there is stored again. One whose id is taken, by an earlier item too, is skipped. A session position stays
   * unless a memory of the session holds it; with 0, or one that is held, the store gives the next one. Later writes
   * get positions behind all of them. Rejects with TOO_MANY_NAMESPACES.
   */
  import(
    scope: Scope,
    items: readonly ImportedMemory[],
    options: { readonly now: number },
  ): Promise<ImportOutcome[]>;

  /** Which of these ids are taken, in their order. Reads no memory, so that a damaged one is there too. */
  exist(scope: Scope, ids: readonly string[], now: number): Promise<boolean[]>;

  /** The memories with these ids, in any state, in the order of the ids; undefined where there is none. */
  get(scope: Scope, ids: readonly string[], now: number): Promise<(StoredMemory | undefined)[]>;

  /** Memories that pass the filter, newest first by (createTime, id), from behind `after` on. */
  list(
    scope: Scope,
    options: {
      readonly filter: MemoryFilter;
      readonly after?: ListPosition;
      readonly limit: number;
      readonly now: number;
    },
  ): Promise<StoredMemory[]>;

  /**
   * The same, oldest first. A page also ends before the memory with which it would take more bytes, as the store keeps
   * them; it holds one at least, unless none is left. A walk through a whole namespace costs time in proportion to it,
   * whatever the filter.
   */
  listOldest(
    scope: Scope,
    options: {
      readonly filter: MemoryFilter;
      readonly after?: ListPosition;
      readonly limit: number;
      readonly maxBytes: number;
      readonly now: number;
    },
  ): Promise<Memory[]>;

  /**
   * Deletes one memory. Rejects with MEMORY_NOT_FOUND, or with ETAG_MISMATCH when an etag is given that is not
   * its. A repeat of a request that was carried out resolves; REQUEST_ID_REUSED as in create.
   */
  delete(
    scope: Scope,
    id: string,
    options: { readonly etag?: string; readonly now: number; readonly request?: IdempotentRequest },
  ): Promise<void>;

  /**
   * Puts a new state in the place of a memory, if that still has this etag. Id, create time and session are those of
   * the old state; the store keeps its session position and its access statistics. Resolves with the new state. Rejects with MEMORY_NOT_FOUND,
   * ETAG_MISMATCH or REQUEST_ID_REUSED. A repeat of a request that was carried out changes nothing and resolves with
   * the memory as it now is.
   */
  replace(
    scope: Scope,
    expectedEtag: string,
    replacement: Replacement,
    options: { readonly now: number; readonly request?: IdempotentRequest },
  ): Promise<StoredMemory>;

  /**
   * What a `replace` with this request answers when it was carried out before, whatever it asks for; undefined when it
   * was not. Rejects with MEMORY_NOT_FOUND or REQUEST_ID_REUSED.
   */
  recallReplace(
    scope: Scope,
    id: string,
    options: { readonly now: number; readonly request: IdempotentRequest },
  ): Promise<StoredMemory | undefined>;

  /**
   * Counts an access to each of these memories, twice to one that is named twice. Never waits, writes or fails: what
   * was counted is written in batches, within a second and when the store is closed; a crash, or a write that fails,
   * loses a batch. Every read and filter of the same store object knows all that was counted before. What is counted
   * of a memory that is not there is dropped, and goes with one that is deleted.
   */
  countAccess(scope: Scope, ids: readonly string[], now: number): void;

  /** How many memories pass the filter. */
  count(scope: Scope, filter: MemoryFilter, now: number): Promise<number>;

  /**
   * Deletes what passes the filter, in bounded steps that are each atomic: other calls get their turn in between, and
   * a crash leaves some deleted. Resolves with how many went. A repeat of a request that was carried out deletes
   * nothing and resolves with the same, though the namespace was not there then or is another one now. Rejects with
   * REQUEST_ID_REUSED.
   */
  purge(
    scope: Scope,
    filter: MemoryFilter,
    options: { readonly now: number; readonly request?: IdempotentRequest },
  ): Promise<number>;

  /** What both arms find; every candidate passes the filter. */
  search(scope: Scope, query: CandidateQuery, now: number): Promise<Candidates>;

  /**
   * Vectors by memory id; undefined where the store holds no memory or no vector. Ended ones count until swept. With a
   * `model`, throws ModelChanged when they are of another.
   */
  vectors(
    scope: Scope,
    ids: readonly string[],
    model?: EmbedderIdentity,
  ): Promise<(Float32Array | undefined)[]>;
}
