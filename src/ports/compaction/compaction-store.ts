import type { NamespaceKey } from "../../domain/access/tenancy.ts";
import type { CompactionGroup } from "../../domain/compaction/group.ts";
import type { CompactionRun } from "../../domain/compaction/run.ts";
import type { NamespacePolicy } from "../../domain/compaction/stored-policy.ts";
import type { Memory } from "../../domain/memory/memory.ts";
import type { IdempotentRequest } from "../idempotency.ts";
import type { NewMemory } from "../memory/writer.ts";

/** A run with the number of its version, which rises with each write. */
export interface StoredRun {
  readonly run: CompactionRun;
  readonly version: number;
}

/**
 * The right to work on a run. It is current until another owner claims the run, which gets a higher fence; no owner can before
 * the lease is over. A fence decides and no clock, so a process that was paused beyond its lease either is still the only one or
 * writes nothing.
 */
export interface RunLease {
  readonly id: string;
  readonly fence: number;
}

/** Thrown by a write whose lease is not the current one: another process works on the run. */
export class LeaseLost extends Error {
  override readonly name = "LeaseLost";
}

/** Changes of memories, all or none. An id occurs once in `put`, `create` and `remove` together. */
export interface MemoryChanges {
  /** All must be stored, unexpired, with these etags; else nothing is written. */
  readonly expected: readonly { readonly id: string; readonly etag: string }[];
  /**
   * New records of stored memories, of `expected`. State, `supersedes`, `supersededBy`, `sourceIds`, tags, importance, expire
   * and update time and etag may differ from the stored one, and nothing else. Terms, vector, state of the embedding, session
   * position and access statistics stay as they are in the store, whatever the record says. A memory that becomes ACTIVE is a
   * duplicate again of what has its text; one that ceases to be is none any more.
   */
  readonly put: readonly Memory[];
  /** Memories that are created, as with `onDuplicate` ALLOW; their ids must be free. */
  readonly create: readonly NewMemory[];
  /** Memories that are deleted, of `expected`. */
  readonly remove: readonly string[];
}

/** A write to a run, which raises its version by one. */
export interface RunWrite {
  readonly run: CompactionRun;
  /**
   * Of the stored run that `run` was made from. So a request to cancel is never overwritten by a process that has not seen it,
   * and a write whose answer was lost is refused when it is sent again.
   */
  readonly version: number;
  /** Deletes the stored groups first: those of a process that stopped while it planned. Default: false. */
  readonly discardGroups?: boolean;
  /** New ones, and those that change. The numbers of a run are 1, 2, ... without gaps, and come in this order. */
  readonly groups?: readonly CompactionGroup[];
  readonly changes?: MemoryChanges;
}

/** A run that has ended. */
export interface EndedRun {
  readonly namespaceKey: NamespaceKey;
  readonly id: string;
  readonly endTime: number;
}

/** A user of a namespace whose memories have changed since its last run began. */
export interface ChangedScope {
  readonly namespaceKey: NamespaceKey;
  /** Empty: the memories without a user. */
  readonly userId: string;
  /** Of the first of these changes. */
  readonly since: number;
  /** How many there were. */
  readonly changes: number;
}

/**
 * Runs of compactions, their plans, which are their journals too, and policies. All methods but `unfinished`, `ended` and
 * `changedScopes` are limited to one namespace; an unknown namespace is empty. Durable and rejecting as Memories. Deleting the
 * namespace deletes all of it.
 */
export interface CompactionStore {
  /**
   * Stores a new run, of version 1, and creates the namespace. Rejects with COMPACTION_RUNNING when a run that has not ended
   * overlaps: of the same user, or of every user on either side (see `overlap`); with TOO_MANY_NAMESPACES, or REQUEST_ID_REUSED. A
   * replay of a completed request resolves with the run as it is now; it rejects with COMPACTION_NOT_FOUND when that was deleted.
   */
  start(
    namespaceKey: NamespaceKey,
    run: CompactionRun,
    options: { readonly now: number; readonly request?: IdempotentRequest },
  ): Promise<StoredRun>;

  /** Undefined: there is none. */
  get(namespaceKey: NamespaceKey, id: string): Promise<StoredRun | undefined>;

  /** Newest first by (createTime, id), after a position. */
  list(
    namespaceKey: NamespaceKey,
    options: {
      readonly after?: { readonly createTime: number; readonly id: string };
      readonly limit: number;
    },
  ): Promise<StoredRun[]>;

  /**
   * Groups of a run with a number above `after`, in order: at most `limit`, and at most `maxBytes` as stored, but one at least,
   * unless none is left.
   */
  groups(
    namespaceKey: NamespaceKey,
    id: string,
    options: { readonly after: number; readonly limit: number; readonly maxBytes: number },
  ): Promise<CompactionGroup[]>;

  /**
   * Claims a run, in any state, until a time. Undefined while another owner holds the lease, and for an unknown run. The same
   * owner extends its lease, and keeps the fence unless another owner had it in between; `until` now gives it back.
   */
  claim(
    namespaceKey: NamespaceKey,
    id: string,
    options: { readonly owner: string; readonly now: number; readonly until: number },
  ): Promise<RunLease | undefined>;

  /**
   * Writes run, groups and memories in one atomic step, of which the checks are part. Rejects with LeaseLost unless `lease` is
   * current (also when the run was deleted), and with ETAG_MISMATCH when the run has another version. Resolves with the ids of
   * `expected` that have changed, and of `create` that are taken, and then nothing was written; empty: all was. A write that
   * ends a run that was under way, or lets it await approval, gives back the lease: any process may claim it at once.
   */
  write(
    namespaceKey: NamespaceKey,
    lease: RunLease,
    write: RunWrite,
    options: { readonly now: number },
  ): Promise<readonly string[]>;

  /**
   * Changes a run without a lease, if it still has this version, which rises by one: approval and cancellation. Rejects with
   * COMPACTION_NOT_FOUND, ETAG_MISMATCH (`current_etag` is the version) or REQUEST_ID_REUSED. A replay of a completed request
   * resolves with the run as it is now.
   */
  replace(
    namespaceKey: NamespaceKey,
    version: number,
    run: CompactionRun,
    options: { readonly now: number; readonly request?: IdempotentRequest },
  ): Promise<StoredRun>;

  /**
   * Runs of all namespaces that any process may continue now: they have not ended, and no lease holds them. A run that awaits
   * approval is among them from `approvalExpireTime` on. Those that were due first come first, so that a run that fails each
   * process holds up no other.
   */
  unfinished(options: {
    readonly now: number;
    readonly limit: number;
  }): Promise<readonly { readonly namespaceKey: NamespaceKey; readonly id: string }[]>;

  /**
   * Deletes runs with their groups, in any state: a run whose record is damaged must not block its scope. Unknown ids are
   * skipped.
   */
  remove(namespaceKey: NamespaceKey, ids: readonly string[]): Promise<void>;

  /** Runs of all namespaces that ended before a time, oldest first by (endTime, id), after a position. */
  ended(options: {
    readonly after?: { readonly endTime: number; readonly id: string };
    readonly before: number;
    readonly limit: number;
  }): Promise<readonly EndedRun[]>;

  /**
   * Scopes of all namespaces that have changed: first those whose first change was at `since` or before, oldest first; then
   * those that have changed at least `changes` times, most often first. Each memory that a call creates, imports, replaces or
   * merges with a duplicate counts once. Deletions do not, for they leave nothing to compact, nor do compactions.
   */
  changedScopes(options: {
    readonly since: number;
    readonly changes: number;
    readonly limit: number;
  }): Promise<readonly ChangedScope[]>;

  /**
   * Forgets the changes of a scope until now, also later ones than `scope` counts. False, and nothing changes, when they were
   * forgotten since: another process was first.
   */
  takeScope(scope: ChangedScope): Promise<boolean>;

  /** The namespace's own policy, with its etag; undefined: it has none. */
  policy(namespaceKey: NamespaceKey): Promise<StoredCompactionPolicy | undefined>;

  /**
   * Replaces the policy, if it still has this etag (undefined: none), and creates the namespace. Rejects with ETAG_MISMATCH,
   * TOO_MANY_NAMESPACES or REQUEST_ID_REUSED. A replay of a completed request resolves with the policy as it is now.
   */
  replacePolicy(
    namespaceKey: NamespaceKey,
    expectedEtag: string | undefined,
    policy: NamespacePolicy,
    options: { readonly now: number; readonly request?: IdempotentRequest },
  ): Promise<StoredCompactionPolicy>;
}

/** A policy with its etag: see compactionPolicyEtag. */
export type StoredCompactionPolicy = NamespacePolicy & { readonly etag: string };
