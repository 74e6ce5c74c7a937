import type { NamespaceKey } from "../../domain/access/tenancy.ts";
import type { CompactionGroup } from "../../domain/compaction/group.ts";
import type { CompactionPolicy, CompactionRun } from "../../domain/compaction/run.ts";
import type { Memory } from "../../domain/memory/memory.ts";
import type { IdempotentRequest } from "../idempotency.ts";
import type { NewMemory } from "../memory/writer.ts";

/** A run with the number of its version, which rises with each write. */
export interface StoredRun {
  readonly run: CompactionRun;
  readonly version: number;
}

/** The right to work on a run: until `until`, if nobody else has claimed it since (a higher fence). */
export interface RunLease {
  readonly id: string;
  readonly fence: number;
}

/** Thrown by a write whose lease is not the current one: another process works on the run. */
export class LeaseLost extends Error {
  override readonly name = "LeaseLost";
}

/** Changes of memories, all or none. */
export interface MemoryChanges {
  /** All must be stored, unexpired, with these etags; else nothing is written. */
  readonly expected: readonly { readonly id: string; readonly etag: string }[];
  /**
   * New records of stored memories. Text, author, session, kind and create time are those of the stored one, so that
   * terms and vectors stay; state, links, tags, importance, expire and update time and etag may differ. What was there before
   * becomes a revision, and the feed says what happened.
   */
  readonly put: readonly Memory[];
  /** Memories that are created; their ids must be free. */
  readonly create: readonly NewMemory[];
  /** Memories that are deleted. */
  readonly remove: readonly string[];
}

/** A write to a run. */
export interface RunWrite {
  readonly run: CompactionRun;
  /** By number: new ones, and those that change. */
  readonly groups?: readonly CompactionGroup[];
  readonly changes?: MemoryChanges;
}

/** A user of a namespace (undefined: memories without one) whose memories have changed since its last run began. */
export interface ChangedScope {
  readonly namespaceKey: NamespaceKey;
  readonly userId: string;
  /** Of the first of these changes. */
  readonly since: number;
  /** How many there were. */
  readonly changes: number;
}

/**
 * Runs of compactions, their plans, which are their journals too, and policies. All methods but `changedScopes` are limited
 * to one namespace. Durable and rejecting as Memories. Deleting the namespace deletes all of it.
 */
export interface CompactionStore {
  /**
   * Stores a new run. Rejects with COMPACTION_RUNNING when a run that has not ended overlaps: of the same user, or of every
   * user on either side. A replay of a completed request resolves with the run as it is now.
   */
  start(
    namespaceKey: NamespaceKey,
    run: CompactionRun,
    options: { readonly now: number; readonly request?: IdempotentRequest },
  ): Promise<StoredRun>;

  /** Undefined: there is none. */
  get(namespaceKey: NamespaceKey, id: string): Promise<StoredRun | undefined>;

  /** Newest first, after (createTime, id). */
  list(
    namespaceKey: NamespaceKey,
    options: {
      readonly after?: { readonly createTime: number; readonly id: string };
      readonly limit: number;
    },
  ): Promise<StoredRun[]>;

  /** Groups of a run with a number above `after`, in order: at most `limit`, and at most `maxBytes` as stored, but one. */
  groups(
    namespaceKey: NamespaceKey,
    id: string,
    options: { readonly after: number; readonly limit: number; readonly maxBytes: number },
  ): Promise<CompactionGroup[]>;

  /** Undefined while another owner holds the lease. The same owner extends its own, and keeps the fence. */
  claim(
    namespaceKey: NamespaceKey,
    id: string,
    options: { readonly owner: string; readonly now: number; readonly until: number },
  ): Promise<RunLease | undefined>;

  /**
   * Writes run, groups and memories in one atomic step. Rejects with LeaseLost unless `lease` is current; the check is part
   * of the step. Resolves with the ids of `expected` that have changed, and then nothing was written; empty: all was.
   */
  write(
    namespaceKey: NamespaceKey,
    lease: RunLease,
    write: RunWrite,
    options: { readonly now: number },
  ): Promise<readonly string[]>;

  /**
   * Changes a run without a lease, if it still has this version: approval and cancellation. Rejects with ETAG_MISMATCH. A
   * replay of a completed request resolves with the run as it is now.
   */
  replace(
    namespaceKey: NamespaceKey,
    version: number,
    run: CompactionRun,
    options: { readonly now: number; readonly request?: IdempotentRequest },
  ): Promise<StoredRun>;

  /** Runs of all namespaces that have not ended and whose lease, if any, is over: to be continued by any process. */
  unfinished(options: {
    readonly now: number;
    readonly limit: number;
  }): Promise<readonly { readonly namespaceKey: NamespaceKey; readonly id: string }[]>;

  /** Deletes ended runs with their groups; see `ended`. */
  remove(namespaceKey: NamespaceKey, ids: readonly string[]): Promise<void>;

  /** Runs of all namespaces that ended before this time, oldest first. */
  ended(options: {
    readonly before: number;
    readonly limit: number;
  }): Promise<
    readonly { readonly namespaceKey: NamespaceKey; readonly id: string; readonly endTime: number }[]
  >;

  /**
   * Scopes that have changed since, at the latest, `since`, or at least `changes` times; oldest first. Every write of a memory
   * by a call counts, those of compactions do not.
   */
  changedScopes(options: {
    readonly since: number;
    readonly changes: number;
    readonly limit: number;
  }): Promise<readonly ChangedScope[]>;

  /** Forgets the changes of a scope until now; false when another process has done so first. */
  takeScope(scope: ChangedScope): Promise<boolean>;

  /** The namespace's own policy, with its etag; undefined: it has none. */
  policy(namespaceKey: NamespaceKey): Promise<StoredCompactionPolicy | undefined>;

  /** Replaces the policy, if it still has this etag (undefined: none). Rejects with ETAG_MISMATCH or TOO_MANY_NAMESPACES. */
  replacePolicy(
    namespaceKey: NamespaceKey,
    expectedEtag: string | undefined,
    policy: Omit<StoredCompactionPolicy, "etag">,
    options: { readonly now: number; readonly request?: IdempotentRequest },
  ): Promise<StoredCompactionPolicy>;
}

/** What a namespace sets; the rest follows the server. */
export type StoredCompactionPolicy = Partial<CompactionPolicy> & {
  readonly scheduled?: boolean;
  readonly etag: string;
};
