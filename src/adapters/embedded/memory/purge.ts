import type { NamespaceKey } from "../../../domain/access/tenancy.ts";
import type { MemoryFilter } from "../../../domain/memory/filter.ts";
import { withinBytes } from "../../../domain/page-token.ts";
import type { IdempotentRequest } from "../../../ports/idempotency.ts";
import type { MemoryPurge } from "../../../ports/memory/purge.ts";
import type { Database, Row, Written } from "../database/database.ts";
import { type DeleteStep, inSteps } from "../database/delete-steps.ts";
import { memoryCondition } from "../keywords/row-filter.ts";
import { termBytes } from "../keywords/terms.ts";
import type { IdempotencyRecords } from "../namespaces/idempotency.ts";
import type { NamespaceIds } from "../namespaces/namespace-ids.ts";
import type { EmbeddedAccessCounts } from "./access-counts.ts";
import type { EmbeddedChangeFeed } from "./changes.ts";
import type { MemoryRowWriter } from "./row-writer.ts";

/** The progress of a purge. */
type PurgeProgress = { readonly count: number; readonly done: boolean };

type PurgeOptions = { readonly now: number; readonly request?: IdempotentRequest };

export interface MemoryPurgeParts {
  readonly database: Database;
  readonly namespaces: NamespaceIds;
  readonly idempotencyRecords: IdempotencyRecords;
  readonly rowWriter: MemoryRowWriter;
  readonly accessCounts: EmbeddedAccessCounts;
  readonly changes: EmbeddedChangeFeed;
}

/** Deletes by filter, in transactions of bounded size. */
export class EmbeddedMemoryPurge implements MemoryPurge {
  readonly #parts: MemoryPurgeParts;

  constructor(parts: MemoryPurgeParts) {
    this.#parts = parts;
  }

  async run(scope: NamespaceKey, filter: MemoryFilter, options: PurgeOptions): Promise<number> {
    const { database, accessCounts } = this.#parts;
    await accessCounts.flushFor(filter);
    let progress: PurgeProgress = { count: 0, done: false };
    await inSteps(async (most) => {
      const step = { before: progress, most };
      progress = await database.write(() => this.#step(scope, filter, step, options), { deletes: true });
      return progress.done;
    });
    return progress.count;
  }

  /** One transaction. The namespace may be created and deleted between two. */
  #step(
    scope: NamespaceKey,
    filter: MemoryFilter,
    { before, most }: { readonly before: PurgeProgress; readonly most: DeleteStep },
    { now, request }: PurgeOptions,
  ): Written<PurgeProgress> {
    const { namespaces, idempotencyRecords, rowWriter, changes: feed } = this.#parts;
    // Beside the namespace, which need not be there: what comes into it later is not this request's to delete.
    const records = request === undefined ? undefined : namespaces.recordsOf(scope.tenant);
    const named = request && { ...request, key: `${scope.namespace} ${request.key}` };
    const recorded = records === undefined ? undefined : idempotencyRecords.replay(records, named, now);
    // Repeats that come while it runs, or after a crash, carry it on together and answer alike.
    const sofar = (recorded as PurgeProgress | undefined) ?? before;
    if (sofar.done) return { result: sofar };
    const rows = this.#passing(scope, filter, now, most.rows);
    const taken = withinBytes(rows, termBytes, most.bytes);
    const changes = feed.begin(now);
    const removed = taken.map((row) => {
      changes.add(Number(row["namespace_id"]), "DELETED", String(row["id"]));
      return rowWriter.remove(row);
    });
    removed.push(changes.write());
    const progress = {
      count: sofar.count + taken.length,
      done: rows.length < most.rows && taken.length === rows.length,
    };
    if (records !== undefined) idempotencyRecords.record(records, named, progress, now);
    return {
      result: progress,
      afterCommit: () => {
        for (const one of removed) one();
      },
    };
  }

  #passing(scope: NamespaceKey, filter: MemoryFilter, now: number, limit: number): Row[] {
    const { database, namespaces } = this.#parts;
    const namespaceId = namespaces.find(scope);
    if (namespaceId === undefined) return [];
    const condition = memoryCondition(namespaceId, filter, now);
    return database.all(
      `SELECT m.row, m.id, m.namespace_id, m.term_count FROM memory m WHERE ${condition.sql} LIMIT ?`,
      ...condition.values,
      limit,
    );
  }
}
