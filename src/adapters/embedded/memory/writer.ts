import type { NamespaceKey } from "../../../domain/access/tenancy.ts";
import { memoryChanged } from "../../../domain/errors.ts";
import { contentBytes, type StepLimits } from "../../../domain/memory/batch-steps.ts";
import { isExpired, type StoredMemory, withAccess } from "../../../domain/memory/memory.ts";
import { YieldBudget } from "../../../lib/yield-to-event-loop.ts";
import type { IdempotentRequest } from "../../../ports/idempotency.ts";
import type { ImportedMemory, ImportOutcome, MemoryImport } from "../../../ports/memory/transfer.ts";
import type {
  BatchStep,
  CreateOptions,
  CreateOutcome,
  MemoryWriter,
  NewMemory,
  RefusedMemory,
  Replacement,
  ReplaceOptions,
} from "../../../ports/memory/writer.ts";
import type { Written } from "../database/database.ts";
import { decodeBatch, encodeBatch, type RecordedItem, recordedRefusal } from "../namespaces/batch-record.ts";
import type { IdempotencyRecords } from "../namespaces/idempotency.ts";
import type { NamespaceIds } from "../namespaces/namespace-ids.ts";
import type { EmbeddedChangeFeed } from "./changes.ts";
import { type CreateItemParts, createItem } from "./create-item.ts";
import type { AfterCommit } from "./row-writer.ts";
import { isStored, recordIn } from "./rows.ts";

const WHOLE_BATCH: BatchStep = { before: [], isLast: true };

/**
 * Size of one transaction: some 10 ms, and 50 when the full-text index merges its segments (measured with texts in
 * which all words differ).
 */
const STEP_LIMITS: StepLimits = { bytes: 64 * 1024, bytesAMemory: 128 };

/** The recorded progress of a request that is retried. */
interface CarriedOut {
  readonly namespaceId: number;
  readonly items: readonly RecordedItem[];
}

export interface MemoryWriterParts extends CreateItemParts {
  readonly namespaces: NamespaceIds;
  readonly idempotencyRecords: IdempotencyRecords;
  readonly changes: EmbeddedChangeFeed;
}

/** Writes of single memories and of batches, each in one transaction. */
export class EmbeddedMemoryWriter implements MemoryWriter, MemoryImport {
  readonly stepLimits = STEP_LIMITS;
  readonly #parts: MemoryWriterParts;

  constructor(parts: MemoryWriterParts) {
    this.#parts = parts;
  }

  async create(
    scope: NamespaceKey,
    items: readonly (NewMemory | RefusedMemory)[],
    { now, request, step = WHOLE_BATCH }: CreateOptions,
  ): Promise<CreateOutcome[]> {
    const { database, namespaces, idempotencyRecords, rowWriter, changes: feed } = this.#parts;
    const { before, isLast } = step;
    // A batch without anything to write creates no namespace.
    if (request === undefined && items.every((item) => "refusal" in item)) {
      return [...before, ...items.map((item): CreateOutcome => ({ kind: "refused", error: item.refusal }))];
    }
    const written = await database.write(
      (): Written<CreateOutcome[] | CarriedOut> => {
        const namespaceId = namespaces.findOrCreate(scope);
        const recorded = idempotencyRecords.replay(namespaceId, request, now);
        const batch = recorded === undefined ? undefined : decodeBatch(recorded);
        if (batch !== undefined && (batch.isWhole || batch.items.length !== before.length)) {
          return { result: { namespaceId, items: batch.items } };
        }
        const changes = feed.begin(now);
        const afterCommit = rowWriter.sweep(now, changes);
        const context = { scope, namespaceId, now, afterCommit, changes };
        const outcomes = items.map((item) => createItem(this.#parts, item, context));
        const sofar = [...before, ...outcomes];
        idempotencyRecords.record(namespaceId, request, encodeBatch(sofar, isLast), now);
        afterCommit.push(changes.write());
        return { result: sofar, afterCommit: () => runAll(afterCommit) };
      },
      { bytes: stepBytes(items) },
    );
    return Array.isArray(written) ? written : this.#replay(scope, written, now);
  }

  replace(
    scope: NamespaceKey,
    expectedEtag: string,
    replacement: Replacement,
    options: ReplaceOptions,
  ): Promise<StoredMemory> {
    const { database, rows, idempotencyRecords, rowWriter, changedScopes, changes: feed } = this.#parts;
    const { now, request, change = "UPDATED", forgets = false } = options;
    const { id } = replacement.memory;
    const work = (): Written<StoredMemory> => {
      const { namespaceId, row, current } = rows.current(scope, id, now);
      if (idempotencyRecords.replay(namespaceId, request, now) !== undefined) return { result: current };
      if (current.etag !== expectedEtag) throw memoryChanged(current.id, current.etag);
      const { memory, afterCommit } = rowWriter.replace(row, replacement, current.sessionPosition, now);
      if (forgets) rowWriter.removeRevisions(namespaceId, id);
      changedScopes.add(namespaceId, current.userId, now);
      idempotencyRecords.record(namespaceId, request, { replaced: id }, now);
      const changes = feed.begin(now);
      changes.add(namespaceId, change, id);
      const appended = changes.write();
      return {
        result: withAccess(memory, current.access),
        afterCommit: () => runAll([afterCommit, appended]),
      };
    };
    return database.write(work, { deletes: forgets });
  }

  replayReplace(
    scope: NamespaceKey,
    id: string,
    { now, request }: { readonly now: number; readonly request: IdempotentRequest },
  ): Promise<StoredMemory | undefined> {
    const { database, rows, idempotencyRecords } = this.#parts;
    return database.write((): Written<StoredMemory | undefined> => {
      const { namespaceId, current } = rows.current(scope, id, now);
      const isReplay = idempotencyRecords.replay(namespaceId, request, now) !== undefined;
      return { result: isReplay ? current : undefined };
    });
  }

  delete(
    scope: NamespaceKey,
    id: string,
    options: { readonly etag?: string; readonly now: number; readonly request?: IdempotentRequest },
  ): Promise<void> {
    const { database, namespaces, rows, idempotencyRecords, rowWriter, changes: feed } = this.#parts;
    const { etag, now, request } = options;
    return database.write(
      (): Written<void> => {
        const namespaceId = namespaces.find(scope);
        if (namespaceId === undefined) throw rows.missing(scope, id);
        if (idempotencyRecords.replay(namespaceId, request, now) !== undefined) return { result: undefined };
        const row = rows.find(namespaceId, id);
        if (!isStored(row, now)) throw rows.missing(scope, id);
        // Without an etag the record is not read, so a damaged memory can be deleted.
        if (etag !== undefined) {
          const memory = recordIn(row);
          if (etag !== memory.etag) throw memoryChanged(memory.id, memory.etag);
        }
        const removed = rowWriter.remove(row);
        idempotencyRecords.record(namespaceId, request, { deleted: id }, now);
        const changes = feed.begin(now);
        changes.add(namespaceId, "DELETED", id);
        const appended = changes.write();
        return { result: undefined, afterCommit: () => runAll([removed, appended]) };
      },
      { deletes: true },
    );
  }

  import(
    scope: NamespaceKey,
    items: readonly ImportedMemory[],
    { now }: { readonly now: number },
  ): Promise<ImportOutcome[]> {
    const { database, namespaces, rows, rowWriter, positions, changedScopes, changes: feed } = this.#parts;
    return database.write(
      (): Written<ImportOutcome[]> => {
        const namespaceId = namespaces.findOrCreate(scope);
        const changes = feed.begin(now);
        const afterCommit = rowWriter.sweep(now, changes);
        const outcomes = items.map((item): ImportOutcome => {
          const there = rows.find(namespaceId, item.memory.id);
          if (isStored(there, now)) return "skipped";
          // Expired, but not swept yet: the id is free.
          if (there !== undefined) {
            changes.add(namespaceId, "EXPIRED", item.memory.id);
            afterCommit.push(rowWriter.remove(there));
          }
          const position = positions.imported(namespaceId, item.memory, now);
          afterCommit.push(rowWriter.insertNew(namespaceId, item, position, now).afterCommit);
          changedScopes.add(namespaceId, item.memory.userId, now);
          changes.add(namespaceId, "CREATED", item.memory.id);
          return "imported";
        });
        afterCommit.push(changes.write());
        return { result: outcomes, afterCommit: () => runAll(afterCommit) };
      },
      { bytes: stepBytes(items) },
    );
  }

  /** The outcomes of a request so far, with its memories as they are now. */
  async #replay(
    scope: NamespaceKey,
    { namespaceId, items }: CarriedOut,
    now: number,
  ): Promise<CreateOutcome[]> {
    const budget = new YieldBudget();
    const outcomes: CreateOutcome[] = [];
    for (const item of items) {
      const outcome = this.#replayOne(scope, namespaceId, item, now);
      outcomes.push(outcome);
      if (outcome.kind !== "refused") await budget.spend(outcome.memory.text.length);
    }
    return outcomes;
  }

  #replayOne(scope: NamespaceKey, namespaceId: number, item: RecordedItem, now: number): CreateOutcome {
    const error = recordedRefusal(item);
    if (error !== undefined) return { kind: "refused", error };
    const { rows } = this.#parts;
    const id = item.id ?? "";
    const row = rows.find(namespaceId, id);
    const memory = row === undefined ? undefined : rows.memoryOf(row);
    if (memory === undefined || isExpired(memory, now)) {
      return { kind: "refused", error: rows.missing(scope, id) };
    }
    const { kind, differs = [], recallLoop } = item;
    if (kind !== "duplicate") return { kind: "created", memory };
    return { kind, memory, differs, ...(recallLoop === undefined ? {} : { recallLoop }) };
  }
}

/** Bytes of the rows of a step, for the bound on transactions. */
function stepBytes(items: readonly (Pick<Replacement, "memory"> | RefusedMemory)[]): number {
  return items.reduce(
    (sum, item) => ("refusal" in item ? sum : sum + contentBytes(item.memory) + STEP_LIMITS.bytesAMemory),
    0,
  );
}

function runAll(changes: readonly AfterCommit[]): void {
  for (const change of changes) change();
}
