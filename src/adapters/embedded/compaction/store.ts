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
import { contentBytes } from "../../../domain/memory/batch-steps.ts";
import type { JsonObject } from "../../../lib/json.ts";
import {
  type ChangedScope,
  type CompactionStore,
  type EndedRun,
  LeaseLost,
  type RunLease,
  type RunWrite,
  type StoredCompactionPolicy,
  type StoredRun,
} from "../../../ports/compaction/compaction-store.ts";
import type { IdempotentRequest } from "../../../ports/idempotency.ts";
import { decodeRecord, encodeRecord } from "../database/checksums.ts";
import type { Database, Row, Written } from "../database/database.ts";
import type { MemoryChangeWriter } from "../memory/change-writer.ts";
import { HIDDEN_TENANT } from "../namespaces/hidden-namespaces.ts";
import type { IdempotencyRecords } from "../namespaces/idempotency.ts";
import type { NamespaceIds } from "../namespaces/namespace-ids.ts";
import { namespaceKeyIn, type RunRow, RunRows } from "./runs.ts";

interface Idempotent {
  readonly now: number;
  readonly request?: IdempotentRequest;
}

export interface CompactionStoreParts {
  readonly namespaces: NamespaceIds;
  readonly idempotencyRecords: IdempotencyRecords;
  readonly memories: MemoryChangeWriter;
}

/** Compactions in SQLite: runs, plans, policies and changed scopes. */
export class EmbeddedCompactionStore implements CompactionStore {
  readonly #database: Database;
  readonly #parts: CompactionStoreParts;
  readonly #runs: RunRows;

  constructor(database: Database, parts: CompactionStoreParts) {
    this.#database = database;
    this.#parts = parts;
    this.#runs = new RunRows(database);
  }

  start(scope: NamespaceKey, run: CompactionRun, options: Idempotent): Promise<StoredRun> {
    return this.#database.write((): Written<StoredRun> => {
      const namespaceId = this.#parts.namespaces.findOrCreate(scope);
      const recorded = this.#replayed(namespaceId, options);
      if (recorded !== undefined) return { result: recorded };
      const other = this.#runs.overlapping(namespaceId, run.userId);
      if (other !== undefined) throw compactionRunning(other);
      this.#runs.insert(namespaceId, run);
      return this.#recorded(namespaceId, run.id, options);
    });
  }

  async get(scope: NamespaceKey, id: string): Promise<StoredRun | undefined> {
    const namespaceId = this.#parts.namespaces.find(scope);
    return namespaceId === undefined ? undefined : this.#runs.read(namespaceId, id);
  }

  async list(scope: NamespaceKey, options: Parameters<CompactionStore["list"]>[1]): Promise<StoredRun[]> {
    const namespaceId = this.#parts.namespaces.find(scope);
    return namespaceId === undefined ? [] : this.#runs.list(namespaceId, options);
  }

  async groups(
    scope: NamespaceKey,
    id: string,
    options: Parameters<CompactionStore["groups"]>[2],
  ): Promise<CompactionGroup[]> {
    const found = this.#find(scope, id);
    return found === undefined ? [] : this.#runs.groups(found.namespaceId, found.row, options);
  }

  claim(
    scope: NamespaceKey,
    id: string,
    { owner, now, until }: Parameters<CompactionStore["claim"]>[2],
  ): Promise<RunLease | undefined> {
    return this.#database.write((): Written<RunLease | undefined> => {
      const row = this.#find(scope, id)?.row;
      if (row === undefined || (row.leaseUntil > now && row.owner !== owner)) return { result: undefined };
      const fence = row.owner === owner ? row.fence : row.fence + 1;
      this.#runs.lease(row, owner, fence, until);
      return { result: { id, fence } };
    });
  }

  write(
    scope: NamespaceKey,
    { id, fence }: RunLease,
    write: RunWrite,
    { now }: { readonly now: number },
  ): Promise<readonly string[]> {
    const { run, version, discardGroups = false, groups = [], changes } = write;
    const { memories } = this.#parts;
    return this.#database.write(
      (): Written<readonly string[]> => {
        const found = this.#find(scope, id);
        if (found === undefined || found.row.fence !== fence) throw new LeaseLost();
        const { namespaceId, row } = found;
        if (row.version !== version) throw compactionChanged(id, String(row.version));
        const conflicts = changes === undefined ? [] : memories.conflicts(namespaceId, changes, now);
        if (conflicts.length > 0) return { result: conflicts };
        const applied = changes === undefined ? [] : memories.apply(namespaceId, changes, now);
        if (discardGroups) this.#runs.discardGroups(namespaceId, row.row);
        for (const group of groups) this.#runs.putGroup(namespaceId, row.row, group);
        this.#runs.replace(row, run);
        return {
          result: [],
          afterCommit: () => {
            for (const one of applied) one();
          },
        };
      },
      { bytes: writeBytes(write) },
    );
  }

  replace(scope: NamespaceKey, version: number, run: CompactionRun, options: Idempotent): Promise<StoredRun> {
    return this.#database.write((): Written<StoredRun> => {
      const namespaceId = this.#parts.namespaces.find(scope);
      if (namespaceId === undefined) throw compactionNotFound(run.id);
      const recorded = this.#replayed(namespaceId, options);
      if (recorded !== undefined) return { result: recorded };
      const row = this.#runs.find(namespaceId, run.id);
      if (row === undefined) throw compactionNotFound(run.id);
      if (row.version !== version) throw compactionChanged(run.id, String(row.version));
      this.#runs.replace(row, run);
      return this.#recorded(namespaceId, run.id, options);
    });
  }

  async unfinished({ now, limit }: { readonly now: number; readonly limit: number }) {
    return this.#runs.unfinished(now, limit);
  }

  remove(scope: NamespaceKey, ids: readonly string[]): Promise<void> {
    return this.#database.write(
      (): Written<void> => {
        for (const id of ids) {
          const found = this.#find(scope, id);
          if (found !== undefined) this.#runs.remove(found.namespaceId, found.row);
        }
        return { result: undefined };
      },
      { deletes: true },
    );
  }

  async ended(options: Parameters<CompactionStore["ended"]>[0]): Promise<EndedRun[]> {
    return this.#runs.ended(options);
  }

  async changedScopes({
    since,
    changes,
    limit,
  }: Parameters<CompactionStore["changedScopes"]>[0]): Promise<ChangedScope[]> {
    const select = `SELECT n.tenant, n.name, c.user_id, c.since, c.changes FROM changed_scope c
      JOIN namespace n USING (namespace_id) WHERE n.tenant <> ?`;
    const due = this.#database.all(
      `${select} AND c.since <= ? ORDER BY c.since LIMIT ?`,
      HIDDEN_TENANT,
      since,
      limit,
    );
    const often = this.#database.all(
      `${select} AND c.changes >= ? AND c.since > ? ORDER BY c.changes DESC LIMIT ?`,
      HIDDEN_TENANT,
      changes,
      since,
      limit - due.length,
    );
    return [...due, ...often].map(changedScope);
  }

  takeScope({ namespaceKey, userId, since }: ChangedScope): Promise<boolean> {
    return this.#database.write((): Written<boolean> => {
      const namespaceId = this.#parts.namespaces.find(namespaceKey);
      if (namespaceId === undefined) return { result: false };
      const taken = this.#database.all(
        "DELETE FROM changed_scope WHERE namespace_id = ? AND user_id = ? AND since = ? RETURNING row",
        namespaceId,
        userId,
        since,
      );
      return { result: taken.length > 0 };
    });
  }

  async policy(scope: NamespaceKey): Promise<StoredCompactionPolicy | undefined> {
    const namespaceId = this.#parts.namespaces.find(scope);
    return namespaceId === undefined ? undefined : this.#policyIn(namespaceId);
  }

  replacePolicy(
    scope: NamespaceKey,
    expectedEtag: string | undefined,
    policy: NamespacePolicy,
    { now, request }: Idempotent,
  ): Promise<StoredCompactionPolicy> {
    const { namespaces, idempotencyRecords } = this.#parts;
    return this.#database.write((): Written<StoredCompactionPolicy> => {
      const namespaceId = namespaces.findOrCreate(scope);
      const current = this.#policyIn(namespaceId);
      const isReplay = idempotencyRecords.replay(namespaceId, request, now) !== undefined;
      if (isReplay && current !== undefined) return { result: current };
      if (current?.etag !== expectedEtag) throw compactionPolicyChanged(current?.etag ?? "");
      this.#database.run(
        `INSERT INTO compaction_policy (namespace_id, record) VALUES (?, ?)
         ON CONFLICT (namespace_id) DO UPDATE SET record = excluded.record`,
        namespaceId,
        encodeRecord(policy),
      );
      idempotencyRecords.record(namespaceId, request, {}, now);
      return { result: withEtag(policy) };
    });
  }

  #find(scope: NamespaceKey, id: string): { readonly namespaceId: number; readonly row: RunRow } | undefined {
    const namespaceId = this.#parts.namespaces.find(scope);
    if (namespaceId === undefined) return undefined;
    const row = this.#runs.find(namespaceId, id);
    return row === undefined ? undefined : { namespaceId, row };
  }

  /** The run of a request that was completed before, as it is now; undefined: the request is new. */
  #replayed(namespaceId: number, { now, request }: Idempotent): StoredRun | undefined {
    const recorded = this.#parts.idempotencyRecords.replay(namespaceId, request, now);
    if (recorded === undefined) return undefined;
    const id = String((recorded as JsonObject)["run"]);
    const stored = this.#runs.read(namespaceId, id);
    if (stored === undefined) throw compactionNotFound(id);
    return stored;
  }

  #recorded(namespaceId: number, id: string, { now, request }: Idempotent): Written<StoredRun> {
    this.#parts.idempotencyRecords.record(namespaceId, request, { run: id }, now);
    const stored = this.#runs.read(namespaceId, id);
    if (stored === undefined) throw compactionNotFound(id);
    return { result: stored };
  }

  #policyIn(namespaceId: number): StoredCompactionPolicy | undefined {
    const row = this.#database.first(
      "SELECT record FROM compaction_policy WHERE namespace_id = ?",
      namespaceId,
    );
    if (row === undefined) return undefined;
    return withEtag(decodeRecord<NamespacePolicy>(row["record"], "a compaction policy"));
  }
}

function withEtag(policy: NamespacePolicy): StoredCompactionPolicy {
  return { ...policy, etag: compactionPolicyEtag(policy) };
}

function changedScope(row: Row): ChangedScope {
  return {
    namespaceKey: namespaceKeyIn(row),
    userId: String(row["user_id"]),
    since: Number(row["since"]),
    changes: Number(row["changes"]),
  };
}

/** Bytes of a group beside its ids, and of a memory that is put, for the bound on transactions. */
const BYTES = 512;

/** Bytes of the rows of a write, for the bound on transactions. */
function writeBytes({ groups = [], changes }: RunWrite): number {
  const written = [...(changes?.put ?? []), ...(changes?.create ?? []).map(({ memory }) => memory)];
  const ofGroups = groups.reduce((sum, { members }) => sum + BYTES + 64 * members.length, 0);
  return ofGroups + written.reduce((sum, memory) => sum + contentBytes(memory), 0);
}
