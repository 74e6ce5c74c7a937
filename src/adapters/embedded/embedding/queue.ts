import { NEVER, neverDue, refuseTimeOf } from "../../../domain/embedding/due-time.ts";
import { isRefusal } from "../../../domain/embedding/refusal.ts";
import { isExpired, type Memory } from "../../../domain/memory/memory.ts";
import type { EmbedderIdentity } from "../../../ports/embedding/embedder.ts";
import type {
  PendingMemoryQueue,
  PendingState,
  RefusedText,
  RefusedTexts,
} from "../../../ports/embedding/pending-memory-queue.ts";
import type {
  MemoryVersion,
  PendingMemory,
  PendingQuery,
  SettledMemory,
} from "../../../ports/embedding/queue.ts";
import type { Log } from "../../../ports/log.ts";
import { encodeVector } from "../database/checksums.ts";
import type { Database, Row, Written } from "../database/database.ts";
import type { PendingRows } from "../database/pending-rows.ts";
import type { NamespaceIds } from "../namespaces/namespace-ids.ts";
import type { VectorModel } from "../vectors/vector-model.ts";
import { isDamage, readPending, recordOf, writeEmbedding } from "./pending-memory.ts";

/** The vector indexes of memories, as far as settling needs them. */
export interface VectorIndexWriter {
  /** Call after a stored memory got a vector. */
  put(namespaceId: number, row: number, memory: Memory, vector: Float32Array): void;
}

/** Rows read at once; their memories are read one by one, so that a damaged one does not affect the others. */
const KEYS_A_READ = 100;

/** Pending memories in SQLite. */
export class EmbeddedEmbeddingQueue implements PendingMemoryQueue {
  readonly #database: Database;
  readonly #namespaces: NamespaceIds;
  readonly #pendingRows: PendingRows;
  readonly #vectors: VectorIndexWriter;
  readonly #model: VectorModel;
  readonly #parts: { readonly database: Database; readonly log: Log };

  constructor(
    database: Database,
    namespaces: NamespaceIds,
    options: {
      readonly pendingRows: PendingRows;
      readonly vectors: VectorIndexWriter;
      readonly model: VectorModel;
      readonly log: Log;
    },
  ) {
    this.#database = database;
    this.#namespaces = namespaces;
    this.#pendingRows = options.pendingRows;
    this.#vectors = options.vectors;
    this.#model = options.model;
    this.#parts = { database, log: options.log };
  }

  async pending({ limit, maxBytes, skip, now }: PendingQuery): Promise<PendingMemory[]> {
    const found: PendingMemory[] = [];
    const useless: number[] = [];
    let bytes = 0;
    let passed = 0;
    let after: readonly [dueTime: number, row: number] = [Number.MIN_SAFE_INTEGER, 0];
    let more = true;
    while (more && found.length < limit && bytes < maxBytes) {
      const keys = this.#database.all(
        `SELECT row, due_time, attempts FROM memory_waiting
         WHERE due_time <= ? AND (due_time, row) > (?, ?) ORDER BY due_time, row LIMIT ?`,
        now,
        ...after,
        KEYS_A_READ,
      );
      more = keys.length === KEYS_A_READ;
      for (const key of keys) {
        if (found.length === limit || bytes >= maxBytes) break;
        after = [Number(key["due_time"]), Number(key["row"])];
        const read = readPending(this.#parts, Number(key["row"]), { attempts: Number(key["attempts"]), now });
        if (read === undefined) useless.push(Number(key["row"]));
        else if (passed < skip) passed += 1;
        else {
          found.push(read.memory);
          bytes += read.bytes;
        }
      }
    }
    if (useless.length > 0) await this.#leave(useless);
    return found;
  }

  settle(
    items: readonly SettledMemory[],
    { identity, now }: { readonly identity: EmbedderIdentity; readonly now: number },
  ): Promise<number> {
    return this.#database.write((): Written<number> => {
      const afterCommit: (() => void)[] = [];
      let settled = 0;
      for (const item of items) {
        // The vector is of another model: the memory stays pending.
        const made = (isRefusal(item.outcome) ? undefined : item.outcome.identity) ?? identity;
        if (!this.#model.takes(made)) continue;
        const there = this.#unchanged(item);
        if (there === undefined || isExpired(there.memory, now)) continue;
        settled += 1;
        afterCommit.push(this.#settleOne(there, item.outcome, made, now));
      }
      return {
        result: settled,
        afterCommit: () => {
          for (const change of afterCommit) change();
        },
      };
    });
  }

  postpone(items: readonly (MemoryVersion & { readonly dueTime: number })[]): Promise<void> {
    return this.#database.write((): Written<void> => {
      for (const item of items) {
        const there = this.#unchanged(item);
        if (there === undefined) continue;
        this.#database.run(
          "UPDATE memory_waiting SET due_time = ?, attempts = attempts + 1 WHERE row = ?",
          Math.round(item.dueTime),
          there.row,
        );
      }
      return { result: undefined };
    });
  }

  retryRefused(): Promise<void> {
    return this.#database.write((): Written<void> => {
      this.#database.run("UPDATE memory_waiting SET due_time = since WHERE refused = 1");
      return { result: undefined };
    });
  }

  async state(): Promise<PendingState> {
    const row = this.#database.first(
      `SELECT count(*) AS count, min(since) AS oldest,
         (SELECT due_time FROM memory_waiting ORDER BY due_time, row LIMIT 1) AS next
       FROM memory_waiting WHERE refused = 0`,
    );
    const { count, oldest, next } = row ?? {};
    return {
      count: Number(count ?? 0),
      ...(oldest === null || oldest === undefined ? {} : { oldestTime: Number(oldest) }),
      ...(next === null || next === undefined || Number(next) >= NEVER ? {} : { nextTime: Number(next) }),
    };
  }

  async refused({ limit }: { readonly limit: number }): Promise<RefusedTexts> {
    const row = this.#database.first("SELECT count(*) AS count FROM memory_waiting WHERE refused = 1");
    const latest = this.#database.all(
      `SELECT w.due_time, m.id, m.record FROM memory_waiting w JOIN memory m ON m.row = w.row
       WHERE w.due_time >= ? ORDER BY w.due_time DESC LIMIT ?`,
      NEVER,
      limit,
    );
    return { count: Number(row?.["count"] ?? 0), latest: latest.flatMap(refusedText) };
  }

  onAdded(listener: () => void): void {
    this.#pendingRows.added.add(listener);
  }

  #leave(rows: readonly number[]): Promise<void> {
    return this.#database.write((): Written<void> => {
      for (const row of rows) this.#database.run("DELETE FROM memory_waiting WHERE row = ?", row);
      return { result: undefined };
    });
  }

  /** The memory, if it is unchanged and still pending. */
  #unchanged({ scope, id, etag }: MemoryVersion): PendingRow | undefined {
    const namespaceId = this.#namespaces.find(scope);
    if (namespaceId === undefined) return undefined;
    try {
      const row = this.#database.first(
        `SELECT m.row, m.id, m.record FROM memory m JOIN memory_waiting w ON w.row = m.row
         WHERE m.namespace_id = ? AND m.id = ?`,
        namespaceId,
        id,
      );
      if (row === undefined) return undefined;
      const memory = recordOf(row);
      return memory.etag === etag ? { namespaceId, row: Number(row["row"]), memory } : undefined;
    } catch (error) {
      // Damaged since it was read; the next read removes it from the queue.
      if (isDamage(error)) return undefined;
      throw error;
    }
  }

  #settleOne(
    { namespaceId, row, memory }: PendingRow,
    outcome: SettledMemory["outcome"],
    { provider, model, dimension }: EmbedderIdentity,
    now: number,
  ): () => void {
    const identity = { provider, model, dimension };
    if (isRefusal(outcome)) {
      const { refusal } = outcome;
      const embedding = { ...identity, state: "REFUSED", truncated: false, refusal } as const;
      writeEmbedding(this.#database, row, memory, embedding);
      this.#database.run(
        "UPDATE memory_waiting SET due_time = ?, refused = 1 WHERE row = ?",
        neverDue(now),
        row,
      );
      return () => undefined;
    }
    const embedding = { ...identity, state: "READY", truncated: outcome.truncated } as const;
    const settled = writeEmbedding(this.#database, row, memory, embedding);
    this.#database.run("DELETE FROM memory_waiting WHERE row = ?", row);
    this.#database.run(
      "INSERT INTO memory_vector (row, vector) VALUES (?, ?)",
      row,
      encodeVector(outcome.vector),
    );
    return () => this.#vectors.put(namespaceId, row, settled, outcome.vector);
  }
}

/** Empty for a damaged memory. */
function refusedText(row: Row): RefusedText[] {
  try {
    const { refusal = "" } = recordOf(row).embedding;
    const refuseTime = refuseTimeOf(Number(row["due_time"]));
    return [{ refusal, ...(refuseTime === undefined ? {} : { refuseTime }) }];
  } catch (error) {
    if (!isDamage(error)) throw error;
    return [];
  }
}

interface PendingRow {
  readonly namespaceId: number;
  readonly row: number;
  readonly memory: Memory;
}
