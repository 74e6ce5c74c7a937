import type { NamespaceKey } from "../../../domain/access/tenancy.ts";
import {
  type ChangeKind,
  changesAfter,
  endOfFeed,
  type FeedLimits,
  type FeedPosition,
  type FeedRead,
  type FeedRow,
  firstKept,
  type MemoryChange,
  TRIM_STEP,
} from "../../../domain/memory/changes.ts";
import type { ChangeFeed } from "../../../ports/memory/changes.ts";
import type { Database, Row } from "../database/database.ts";
import type { NamespaceIds } from "../namespaces/namespace-ids.ts";
import type { AfterCommit } from "./row-writer.ts";

/** Waits of namespaces that do not exist are kept under this number, which no namespace has. */
const NONE = 0;

/** The change feeds, in a table; waits end at the commit of a write. */
export class EmbeddedChangeFeed implements ChangeFeed {
  readonly #database: Database;
  readonly #namespaces: NamespaceIds;
  readonly #limits: FeedLimits;
  /** By namespaceId: what ends its waits. */
  readonly #waits = new Map<number, Set<() => void>>();

  constructor(database: Database, namespaces: NamespaceIds, limits: FeedLimits) {
    this.#database = database;
    this.#namespaces = namespaces;
    this.#limits = limits;
  }

  /** The changes of one write, at this time. */
  begin(now: number): RecordedChanges {
    return new RecordedChanges((namespaceId, changes) => this.#append(namespaceId, changes, now));
  }

  /** Call after a namespace was deleted. */
  namespaceDeleted(namespaceId: number): void {
    this.#wake(namespaceId);
  }

  async end(scope: NamespaceKey): Promise<FeedPosition> {
    const namespaceId = this.#namespaces.find(scope);
    if (namespaceId === undefined) return endOfFeed(undefined);
    return endOfFeed({ incarnation: String(namespaceId), newest: this.#newest(namespaceId) });
  }

  async read(scope: NamespaceKey, after: FeedPosition, limit: number): Promise<FeedRead> {
    const namespaceId = this.#namespaces.find(scope);
    if (namespaceId === undefined) return changesAfter(after, undefined);
    const rows = this.#database.all(
      `SELECT sequence, time, kind, memory_id FROM memory_change WHERE namespace_id = ? AND sequence >= ?
       ORDER BY sequence LIMIT ?`,
      namespaceId,
      after.sequence,
      limit + 1,
    );
    const last = this.#newest(namespaceId)?.sequence ?? 0;
    return changesAfter(after, { incarnation: String(namespaceId), last, rows: rows.map(feedRow) });
  }

  async wait(scope: NamespaceKey, after: FeedPosition, signal: AbortSignal): Promise<void> {
    const namespaceId = this.#namespaces.find(scope);
    const isAtEnd =
      String(namespaceId ?? "") === after.incarnation &&
      (namespaceId === undefined || (this.#newest(namespaceId)?.sequence ?? 0) === after.sequence);
    if (!isAtEnd || signal.aborted) return;
    await this.#woken(namespaceId ?? NONE, signal);
  }

  #woken(namespaceId: number, signal: AbortSignal): Promise<void> {
    const waits = this.#waits.get(namespaceId) ?? new Set();
    this.#waits.set(namespaceId, waits);
    return new Promise((resolve) => {
      const end = (): void => {
        waits.delete(end);
        if (waits.size === 0) this.#waits.delete(namespaceId);
        signal.removeEventListener("abort", end);
        resolve();
      };
      waits.add(end);
      signal.addEventListener("abort", end, { once: true });
    });
  }

  #wake(namespaceId: number): void {
    for (const end of [...(this.#waits.get(namespaceId) ?? [])]) end();
  }

  #newest(namespaceId: number): FeedRow | undefined {
    const row = this.#database.first(
      `SELECT sequence, time, kind, memory_id FROM memory_change WHERE namespace_id = ?
       ORDER BY sequence DESC LIMIT 1`,
      namespaceId,
    );
    return row === undefined ? undefined : feedRow(row);
  }

  #append(namespaceId: number, changes: readonly NewChange[], now: number): AfterCommit {
    const insert = (sequence: number, kind: string, id: string): void => {
      this.#database.run(
        "INSERT INTO memory_change (namespace_id, sequence, time, kind, memory_id) VALUES (?, ?, ?, ?, ?)",
        namespaceId,
        sequence,
        now,
        kind,
        id,
      );
    };
    const newest = this.#newest(namespaceId);
    if (newest === undefined) insert(0, "", "");
    let last = newest?.sequence ?? 0;
    for (const { kind, memoryId } of changes) {
      last += 1;
      insert(last, kind, memoryId);
    }
    this.#trim(namespaceId, { last, added: changes.length, now });
    return () => {
      this.#wake(namespaceId);
      if (newest === undefined) this.#wake(NONE);
    };
  }

  #trim(
    namespaceId: number,
    { last, added, now }: { readonly last: number; readonly added: number; readonly now: number },
  ): void {
    const kept = (limit: number): { readonly oldest: number; readonly first: number } => {
      const rows = this.#database
        .all(
          `SELECT sequence, time, kind, memory_id FROM memory_change WHERE namespace_id = ?
           ORDER BY sequence LIMIT ?`,
          namespaceId,
          limit,
        )
        .map(feedRow);
      return { oldest: rows[0]?.sequence ?? 0, first: firstKept(rows, last, this.#limits, now) };
    };
    // Mostly nothing is to be trimmed, which two rows show.
    const few = kept(2);
    if (few.first === few.oldest) return;
    this.#database.run(
      "DELETE FROM memory_change WHERE namespace_id = ? AND sequence < ?",
      namespaceId,
      kept(added + TRIM_STEP + 1).first,
    );
  }
}

type NewChange = Pick<MemoryChange, "kind" | "memoryId">;

/** Collects the changes of one write, which `write` appends to their feeds. */
export class RecordedChanges {
  readonly #append: (namespaceId: number, changes: readonly NewChange[]) => AfterCommit;
  readonly #changes = new Map<number, NewChange[]>();

  constructor(append: (namespaceId: number, changes: readonly NewChange[]) => AfterCommit) {
    this.#append = append;
  }

  add(namespaceId: number, kind: ChangeKind, memoryId: string): void {
    const changes = this.#changes.get(namespaceId);
    if (changes === undefined) this.#changes.set(namespaceId, [{ kind, memoryId }]);
    else changes.push({ kind, memoryId });
  }

  /** Only inside the write, as its last step. */
  write(): AfterCommit {
    const appended = [...this.#changes].map(([namespaceId, changes]) => this.#append(namespaceId, changes));
    return () => {
      for (const one of appended) one();
    };
  }
}

function feedRow(row: Row): FeedRow {
  const [sequence, time] = [Number(row["sequence"]), Number(row["time"])];
  if (sequence === 0) return { sequence: 0, time };
  return { sequence, time, kind: String(row["kind"]) as ChangeKind, memoryId: String(row["memory_id"]) };
}
