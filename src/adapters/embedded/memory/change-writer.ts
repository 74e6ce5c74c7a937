import type { MemoryChanges } from "../../../ports/compaction/compaction-store.ts";
import type { AfterCommit, MemoryRowWriter } from "./row-writer.ts";
import { isStored, type MemoryRows, recordIn } from "./rows.ts";
import type { SessionPositions } from "./session-positions.ts";

export interface MemoryChangeWriterParts {
  readonly rows: MemoryRows;
  readonly rowWriter: MemoryRowWriter;
  readonly positions: SessionPositions;
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
    const afterCommit: AfterCommit[] = [];
    // A created memory takes the place of an expired one with its id.
    for (const id of [...remove, ...create.map(({ memory }) => memory.id)]) {
      const row = rows.find(namespaceId, id);
      if (row !== undefined) afterCommit.push(rowWriter.remove(row));
    }
    for (const item of create) {
      const position = positions.next(namespaceId, item.memory.sessionId);
      afterCommit.push(rowWriter.insertNew(namespaceId, item, position, now).afterCommit);
    }
    for (const memory of put) {
      const row = rows.find(namespaceId, memory.id);
      if (row === undefined) throw new RangeError(`${memory.id} is put and not expected`);
      const { sessionPosition, embedding } = recordIn(row);
      afterCommit.push(rowWriter.put(row, { ...memory, sessionPosition, embedding }, now));
    }
    return afterCommit;
  }
}
