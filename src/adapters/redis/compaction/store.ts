import type { NamespaceKey } from "../../../domain/access/tenancy.ts";
import type { CompactionGroup } from "../../../domain/compaction/group.ts";
import type { CompactionRun } from "../../../domain/compaction/run.ts";
import { compactionPolicyEtag, type NamespacePolicy } from "../../../domain/compaction/stored-policy.ts";
import {
  compactionChanged,
  compactionNotFound,
  compactionPolicyChanged,
  compactionRunning,
} from "../../../domain/errors.ts";
import {
  type ChangedScope,
  type CompactionStore,
  LeaseLost,
  type MemoryChanges,
  type RunLease,
  type RunWrite,
  type StoredCompactionPolicy,
  type StoredRun,
} from "../../../ports/compaction/compaction-store.ts";
import type { IdempotentRequest } from "../../../ports/idempotency.ts";
import type { RedisClient } from "../connection/client.ts";
import { bytesOf, listOf, numberOf } from "../connection/replies.ts";
import { withCurrentModel } from "../indexes/model-retry.ts";
import type { MemoryChangeWriter } from "../memory/change-writer.ts";
import { memoryKeys } from "../memory/rows.ts";
import { requestInput } from "../namespaces/idempotency.ts";
import type { Namespaces } from "../namespaces/namespace-ids.ts";
import { type PackRecord, packRecord, unpackRecord } from "../namespaces/records.ts";
import { PartitionSets } from "./partition-sets.ts";
import {
  CLAIM,
  GROUPS,
  LIST,
  REMOVE,
  REPLACE,
  REPLACE_POLICY,
  runInput,
  START,
  type StoredRecord,
  TAKE_CHANGED_SCOPE,
  WRITE,
} from "./scripts.ts";

interface Idempotent {
  readonly now: number;
  readonly request?: IdempotentRequest;
}

export interface RedisCompactionStoreOptions {
  readonly pack: PackRecord;
  readonly memories: MemoryChangeWriter;
}

const NO_CHANGES: MemoryChanges = { expected: [], put: [], create: [], remove: [] };

/** Compactions in Redis: runs, plans, policies and changed scopes. */
export class RedisCompactionStore implements CompactionStore {
  readonly #namespaces: Namespaces;
  readonly #sets: PartitionSets;
  readonly #options: RedisCompactionStoreOptions;

  constructor(client: RedisClient, namespaces: Namespaces, options: RedisCompactionStoreOptions) {
    this.#namespaces = namespaces;
    this.#sets = new PartitionSets(client, namespaces.keys);
    this.#options = options;
  }

  async start(scope: NamespaceKey, run: CompactionRun, { now, request }: Idempotent): Promise<StoredRun> {
    const { running, recorded } = await this.#namespaces.run(scope, {
      script: START,
      whenAbsent: "create",
      mayRetry: request !== undefined,
      input: (namespace) => ({
        ...runInput(namespace, run, this.#options.pack),
        ...requestInput(request),
        request: namespace.request(request?.key ?? ""),
        now,
        compactionOrder: namespace.compactionOrder,
        createTime: run.createTime,
      }),
    });
    if (running !== undefined) throw compactionRunning(running);
    return recorded === undefined ? { run, version: 1 } : this.#recorded(scope, recorded);
  }

  async get(scope: NamespaceKey, id: string): Promise<StoredRun | undefined> {
    const replies = await this.#namespaces.pipeline(scope, (namespace) => [
      ["HMGET", namespace.compaction(id), "rec", "version"],
    ]);
    if (replies === undefined) return undefined;
    const [rec = null, version = null] = listOf(replies[0]);
    return version === null ? undefined : storedRun({ id, rec: bytesOf(rec), version: numberOf(version) });
  }

  async list(
    scope: NamespaceKey,
    { after, limit }: Parameters<CompactionStore["list"]>[1],
  ): Promise<StoredRun[]> {
    const found = await this.#namespaces.run(scope, {
      script: LIST,
      input: (namespace) => ({
        compactionOrder: namespace.compactionOrder,
        compactionPrefix: namespace.compaction(""),
        afterTime: after?.createTime ?? "+inf",
        afterId: after?.id ?? "",
        limit,
      }),
    });
    return (found ?? []).map(storedRun);
  }

  async groups(
    scope: NamespaceKey,
    id: string,
    options: Parameters<CompactionStore["groups"]>[2],
  ): Promise<CompactionGroup[]> {
    const found = await this.#namespaces.run(scope, {
      script: GROUPS,
      input: (namespace) => ({ compactionGroups: namespace.compactionGroups(id), ...options }),
    });
    return (found ?? []).map((rec) => unpackRecord<CompactionGroup>(rec, `a group of compaction ${id}`));
  }

  async claim(
    scope: NamespaceKey,
    id: string,
    { owner, now, until }: Parameters<CompactionStore["claim"]>[2],
  ): Promise<RunLease | undefined> {
    const fence = await this.#namespaces.run(scope, {
      script: CLAIM,
      // The owner extends its own lease.
      mayRetry: true,
      input: (namespace) => ({
        run: namespace.compaction(id),
        unfinishedCompactions: namespace.partition.unfinishedCompactions,
        meta: namespace.partition.meta,
        ...{ id, owner, now, leaseEnd: until },
      }),
    });
    return fence === undefined ? undefined : { id, fence };
  }

  async write(
    scope: NamespaceKey,
    { id, fence }: RunLease,
    write: RunWrite,
    { now }: { readonly now: number },
  ): Promise<readonly string[]> {
    const { run, version, discardGroups = false, groups = [], changes = NO_CHANGES } = write;
    const { memories, pack } = this.#options;
    await memories.prepare(scope, changes);
    const reply = await withCurrentModel(memories.model, () =>
      this.#namespaces.run(scope, {
        script: WRITE,
        input: (namespace) => ({
          ...memoryKeys(namespace),
          ...runInput(namespace, run, pack),
          compactionGroups: namespace.compactionGroups(id),
          ...{ now, fence, expectedVersion: version, discardGroups: discardGroups ? 1 : 0 },
          groups: groups.map((group) => ({ number: group.number, rec: pack(group) })),
          ...memories.input(namespace, changes, now),
        }),
      }),
    );
    if (reply === undefined || reply.kind === "lost") throw new LeaseLost();
    if (reply.kind === "changed") throw compactionChanged(id, reply.version);
    if (reply.conflicts.length === 0 && changes !== NO_CHANGES) memories.written(scope, changes, now);
    return reply.conflicts;
  }

  async replace(
    scope: NamespaceKey,
    version: number,
    run: CompactionRun,
    { now, request }: Idempotent,
  ): Promise<StoredRun> {
    const reply = await this.#namespaces.run(scope, {
      script: REPLACE,
      mayRetry: request !== undefined,
      input: (namespace) => ({
        ...runInput(namespace, run, this.#options.pack),
        ...requestInput(request),
        request: namespace.request(request?.key ?? ""),
        ...{ now, expectedVersion: version },
      }),
    });
    if (reply === undefined || reply.missing === true) throw compactionNotFound(run.id);
    if (reply.version !== undefined) throw compactionChanged(run.id, reply.version);
    return reply.recorded === undefined
      ? { run, version: version + 1 }
      : this.#recorded(scope, reply.recorded);
  }

  unfinished(options: { readonly now: number; readonly limit: number }) {
    return this.#sets.unfinished(options);
  }

  async remove(scope: NamespaceKey, ids: readonly string[]): Promise<void> {
    await this.#namespaces.run(scope, {
      script: REMOVE,
      mayRetry: true,
      input: (namespace) => ({
        compactionPrefix: namespace.compaction(""),
        compactionGroupsPrefix: namespace.compactionGroups(""),
        compactionOrder: namespace.compactionOrder,
        activeCompactions: namespace.activeCompactions,
        unfinishedCompactions: namespace.partition.unfinishedCompactions,
        endedCompactions: namespace.partition.endedCompactions,
        meta: namespace.partition.meta,
        ids,
      }),
    });
  }

  ended(options: Parameters<CompactionStore["ended"]>[0]) {
    return this.#sets.ended(options);
  }

  changedScopes(options: Parameters<CompactionStore["changedScopes"]>[0]) {
    return this.#sets.changedScopes(options);
  }

  async takeScope({ namespaceKey, userId, since }: ChangedScope): Promise<boolean> {
    const taken = await this.#namespaces.run(namespaceKey, {
      script: TAKE_CHANGED_SCOPE,
      input: ({ partition: { changedScopes, changedScopeCounts, meta } }) => ({
        ...{ changedScopes, changedScopeCounts, meta },
        ...{ user: userId, since },
      }),
    });
    return taken === true;
  }

  async policy(scope: NamespaceKey): Promise<StoredCompactionPolicy | undefined> {
    const replies = await this.#namespaces.pipeline(scope, ({ compactionPolicy }) => [
      ["HGET", compactionPolicy, "rec"],
    ]);
    const rec = bytesOf(replies?.[0] ?? null);
    return rec === undefined
      ? undefined
      : withEtag(unpackRecord<NamespacePolicy>(rec, "a compaction policy"));
  }

  async replacePolicy(
    scope: NamespaceKey,
    expectedEtag: string | undefined,
    policy: NamespacePolicy,
    { now, request }: Idempotent,
  ): Promise<StoredCompactionPolicy> {
    const next = withEtag(policy);
    const { etag, isReplay } = await this.#namespaces.run(scope, {
      script: REPLACE_POLICY,
      whenAbsent: "create",
      mayRetry: request !== undefined,
      input: (namespace) => ({
        ...requestInput(request),
        request: namespace.request(request?.key ?? ""),
        compactionPolicy: namespace.compactionPolicy,
        meta: namespace.partition.meta,
        ...{ now, expectedEtag: expectedEtag ?? "", etag: next.etag, rec: packRecord(policy) },
      }),
    });
    if (etag !== undefined) throw compactionPolicyChanged(etag);
    return (isReplay ? await this.policy(scope) : undefined) ?? next;
  }

  /** The run of a request that was completed before, as it is now. */
  async #recorded(scope: NamespaceKey, id: string): Promise<StoredRun> {
    const stored = await this.get(scope, id);
    if (stored === undefined) throw compactionNotFound(id);
    return stored;
  }
}

function storedRun({ id, rec, version }: StoredRecord): StoredRun {
  return { run: unpackRecord<CompactionRun>(rec, `compaction ${id}`), version };
}

function withEtag(policy: NamespacePolicy): StoredCompactionPolicy {
  return { ...policy, etag: compactionPolicyEtag(policy) };
}
