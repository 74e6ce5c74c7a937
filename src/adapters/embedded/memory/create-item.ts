import type { NamespaceKey } from "../../../domain/access/tenancy.ts";
import { memoryDuplicate, memoryExists, RecollectError } from "../../../domain/errors.ts";
import { differingFields, mergeDuplicate } from "../../../domain/memory/duplicate.ts";
import {
  isExpired,
  type Memory,
  recordOf,
  type StoredMemory,
  withAccess,
} from "../../../domain/memory/memory.ts";
import { isRecalled, MAX_SAME_TEXTS } from "../../../domain/memory/recall-loop.ts";
import { superseded, toSupersede } from "../../../domain/memory/supersession.ts";
import type { CreateOutcome, NewMemory, RefusedMemory } from "../../../ports/memory/writer.ts";
import type { ChangedScopes } from "../database/changed-scopes.ts";
import type { Database, Row } from "../database/database.ts";
import type { EmbeddedAccessCounts } from "./access-counts.ts";
import type { RecordedChanges } from "./changes.ts";
import type { AfterCommit, MemoryRowWriter } from "./row-writer.ts";
import { accessOf, type MemoryRows, STORED, WITH_ACCESS } from "./rows.ts";
import type { SessionPositions } from "./session-positions.ts";

export interface CreateItemParts {
  readonly database: Database;
  readonly rows: MemoryRows;
  readonly rowWriter: MemoryRowWriter;
  readonly positions: SessionPositions;
  readonly changedScopes: ChangedScopes;
  readonly accessCounts: EmbeddedAccessCounts;
}

/** The parameters that all items of a batch share. */
export interface CreateContext {
  readonly scope: NamespaceKey;
  readonly namespaceId: number;
  readonly now: number;
  /** Collects callbacks to run when the batch is on disk. */
  readonly afterCommit: AfterCommit[];
  /** Collects the changes of the batch. */
  readonly changes: RecordedChanges;
}

/** Creates one item of a batch; handles existing ids and duplicates. Only inside a write. */
export function createItem(
  parts: CreateItemParts,
  item: NewMemory | RefusedMemory,
  context: CreateContext,
): CreateOutcome {
  if ("refusal" in item) return { kind: "refused", error: item.refusal };
  const existing = existingOf(parts, item, context);
  if (existing !== undefined) return existing;
  const { namespaceId, now } = context;
  const replaced = supersededRows(parts, item.memory, context);
  if (replaced instanceof RecollectError) return { kind: "refused", error: replaced };
  const position = parts.positions.next(namespaceId, item.memory.sessionId);
  const { memory, afterCommit } = parts.rowWriter.insertNew(namespaceId, item, position, now);
  context.afterCommit.push(afterCommit);
  parts.changedScopes.add(namespaceId, memory.userId, now);
  context.changes.add(namespaceId, "CREATED", memory.id);
  for (const { row, current } of replaced) {
    context.changes.add(namespaceId, "SUPERSEDED", current.id);
    const version = superseded(recordOf(current), memory.id, now);
    context.afterCommit.push(parts.rowWriter.update(row, version, []));
  }
  return { kind: "created", memory };
}

/** The memories that a new one supersedes, with their rows; or why it cannot. */
function supersededRows(
  { rows }: CreateItemParts,
  memory: Memory,
  { scope, namespaceId, now }: CreateContext,
): readonly { readonly row: Row; readonly current: StoredMemory }[] | RecollectError {
  const find = (id: string) => {
    const row = rows.find(namespaceId, id);
    const current = row === undefined ? undefined : rows.memoryOf(row);
    return row === undefined || current === undefined || isExpired(current, now)
      ? undefined
      : { row, current };
  };
  return toSupersede(memory, find, (id) => rows.missing(scope, id));
}

/** The outcome when the id of an item exists or its text is a duplicate; undefined: neither. */
function existingOf(
  parts: CreateItemParts,
  item: NewMemory,
  context: CreateContext,
): CreateOutcome | undefined {
  const { scope, namespaceId, now } = context;
  const { id } = item.memory;
  const taken = parts.rows.find(namespaceId, id);
  if (taken !== undefined && !isExpired(parts.rows.memoryOf(taken), now)) {
    return { kind: "refused", error: memoryExists(scope.namespace, id) };
  }
  const duplicate =
    item.onDuplicate === "ALLOW" ? undefined : duplicateOf(parts.database, namespaceId, item, now);
  if (duplicate !== undefined) {
    return item.onDuplicate === "RETURN_EXISTING"
      ? merge(parts, duplicate, item.memory, context)
      : { kind: "refused", error: memoryDuplicate(scope.namespace, String(duplicate["id"])) };
  }
  const recalled = recalledBy(parts, item, context);
  if (recalled !== undefined) return recalled;
  // Expired, but not swept yet: the id is free.
  if (taken !== undefined) {
    context.changes.add(namespaceId, "EXPIRED", id);
    context.afterCommit.push(parts.rowWriter.remove(taken));
  }
  return undefined;
}

/** The oldest ACTIVE memory with the same duplicate key, by (createTime, id). */
function duplicateOf(database: Database, namespaceId: number, item: NewMemory, now: number): Row | undefined {
  return database.first(
    // INDEXED BY, because the planner would otherwise scan the whole namespace in order of time rather than sort a few rows.
    `SELECT m.row, m.revision, ${STORED} FROM memory m INDEXED BY memory_by_duplicate ${WITH_ACCESS}
     WHERE m.namespace_id = ? AND m.duplicate_key = ? AND m.state = 'ACTIVE'
     AND (m.expire_time IS NULL OR m.expire_time > ?) ORDER BY m.create_time, m.id LIMIT 1`,
    namespaceId,
    item.duplicateKey,
    now,
  );
}

/** The outcome of a recall loop; undefined: the item is none. See recall-loop.ts. */
function recalledBy(
  { database, rows, accessCounts }: CreateItemParts,
  { memory: requested, textKey, recalledSince }: NewMemory,
  { namespaceId, now }: CreateContext,
): CreateOutcome | undefined {
  if (recalledSince === undefined) return undefined;
  const candidates = database.all(
    // Its index contains ACTIVE memories only.
    `SELECT m.id, a.access_count, a.last_access_time FROM memory m INDEXED BY memory_by_text ${WITH_ACCESS}
     WHERE m.namespace_id = ? AND m.text_key = ? AND m.text_key <> '' AND m.state = 'ACTIVE'
     AND (m.expire_time IS NULL OR m.expire_time > ?) ORDER BY m.create_time, m.id LIMIT ?`,
    namespaceId,
    textKey,
    now,
    MAX_SAME_TEXTS,
  );
  const recalled = candidates.find(
    (row) =>
      isRecalled(accessOf(row), recalledSince) ||
      isRecalled(accessCounts.pending(namespaceId, String(row["id"])), recalledSince),
  );
  const row = recalled === undefined ? undefined : rows.find(namespaceId, String(recalled["id"]));
  if (row === undefined) return undefined;
  const memory = rows.memoryOf(row);
  return {
    kind: "duplicate",
    memory,
    differs: differingFields(recordOf(memory), requested),
    recallLoop: true,
  };
}

/** Merges a duplicate into the existing memory; see mergeDuplicate. */
function merge(
  { rows, rowWriter, changedScopes }: CreateItemParts,
  row: Row,
  duplicate: Memory,
  { namespaceId, now, afterCommit, changes }: CreateContext,
): CreateOutcome {
  const existing = rows.memoryOf(row);
  const stored = recordOf(existing);
  const { memory, differs } = mergeDuplicate(stored, duplicate, now);
  if (memory !== stored) {
    changes.add(namespaceId, "UPDATED", memory.id);
    afterCommit.push(rowWriter.update(row, memory, memory.tags.slice(stored.tags.length)));
    changedScopes.add(namespaceId, memory.userId, now);
  }
  return { kind: "duplicate", memory: withAccess(memory, existing.access), differs };
}
