import { type ChangeKind, putKind } from "../../../domain/memory/changes.ts";
import type { MemoryChanges } from "../../../ports/compaction/compaction-store.ts";
import type { EmbeddedChangeFeed } from "./changes.ts";
import type { AfterCommit, MemoryRowWriter } from "./row-writer.ts";
import { isStored, type MemoryRows, recordIn } from "./rows.ts";
import type { SessionPositions } from "./session-positions.ts";

export interface MemoryChangeWriterParts {
  readonly rows: MemoryRows;
  readonly rowWriter: MemoryRowWriter;
  readonly positions: SessionPositions;
  readonly changes: EmbeddedChangeFeed;
}

/** Applies the changes that a compaction makes to memories. All methods only inside a write. */
export class MemoryChangeWriter {
  readonly #parts: MemoryChangeWriterParts;

  constructor(parts: MemoryChangeWriterParts) {
    this.#parts = parts;
  }

  /** The ids that forbid the changes: see CompactionStore.write. Throws STORE_CORRUPT for a damaged memory. */
  conflicts(namespaceId: number, { expected, create }: MemoryChanges, now: number): string[] {
    const { rows } = this.#parts;
    const changed = expected.filter(({ id, etag }) => {
      const row = rows.find(namespaceId, id);
      return !isStored(row, now) || recordIn(row).etag !== etag;
    });
    const taken = create.filter(({ memory }) => isStored(rows.find(namespaceId, memory.id), now));
    return [...changed.map(({ id }) => id), ...taken.map(({ memory }) => memory.id)];
  }

  /** Makes the changes, which have no conflicts. */
  apply(namespaceId: number, { put, create, remove }: MemoryChanges, now: number): AfterCommit[] {
    const { rows, rowWriter, positions } = this.#parts;
    const changes = this.#parts.changes.begin(now);
    const afterCommit: AfterCommit[] = [];
    const free = (id: string, kind: ChangeKind): void => {
      const row = rows.find(namespaceId, id);
      if (row === undefined) return;
      changes.add(namespaceId, kind, id);
      afterCommit.push(rowWriter.remove(row));
    };
    for (const id of remove) free(id, "DELETED");
    for (const item of create) {
      const { id, sessionId } = item.memory;
      // Expired, but not swept yet: the id is free.
      free(id, "EXPIRED");
      const position = positions.next(namespaceId, sessionId);
      afterCommit.push(rowWriter.insertNew(namespaceId, item, position, now).afterCommit);
      changes.add(namespaceId, "CREATED", id);
    }
    for (const memory of put) {
      const row = rows.find(namespaceId, memory.id);
      if (row === undefined) throw new RangeError(`${memory.id} is put and not expected`);
      const { sessionPosition, embedding, state } = recordIn(row);
      afterCommit.push(rowWriter.put(row, { ...memory, sessionPosition, embedding }, now));
      changes.add(namespaceId, putKind(state, memory.state), memory.id);
    }
    afterCommit.push(changes.write());
    return afterCommit;
  }
}
