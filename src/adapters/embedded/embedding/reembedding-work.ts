import { sameModel } from "../../../domain/embedding/identity.ts";
import { isRefusal } from "../../../domain/embedding/refusal.ts";
import type { EmbedderIdentity } from "../../../ports/embedding/embedder.ts";
import type {
  EmbeddingQueue,
  MemoryVersion,
  PendingMemory,
  PendingQuery,
  SettledMemory,
} from "../../../ports/embedding/queue.ts";
import type { Log } from "../../../ports/log.ts";
import { encodeVector } from "../database/checksums.ts";
import type { Database, Row, Written } from "../database/database.ts";
import type { NamespaceIds } from "../namespaces/namespace-ids.ts";
import { isDamage, readPending, recordOf } from "./pending-memory.ts";
import { readRecord } from "./reembedding-record.ts";

/** What the cut-over does with a memory beside its new vector; the reason of a refusal follows REFUSED and a space. */
export type Note = `REFUSED${string}` | "LATE" | "TRUNCATED" | "WHOLE";

/**
 * The memories that have no vector of the new model yet (`reembedding_todo`), in order of their rows. A trigger adds
 * every memory that gets a vector of the old model meanwhile, so that none is missed.
 */
export class ReembeddingWork implements EmbeddingQueue {
  readonly #database: Database;
  readonly #namespaces: NamespaceIds;
  readonly #log: Log;

  constructor(database: Database, namespaces: NamespaceIds, log: Log) {
    this.#database = database;
    this.#namespaces = namespaces;
    this.#log = log;
  }

  async pending({ limit, maxBytes, skip, now }: PendingQuery): Promise<PendingMemory[]> {
    let found: PendingMemory[];
    let useless: number[];
    do {
      if (readRecord(this.#database)?.state !== "RUNNING") return [];
      const rows = this.#database.all(
        "SELECT row FROM reembedding_todo ORDER BY row LIMIT ? OFFSET ?",
        limit,
        skip,
      );
      found = [];
      useless = [];
      let bytes = 0;
      for (const { row } of rows) {
        const read = readPending({ database: this.#database, log: this.#log }, Number(row), {
          attempts: 0,
          now,
        });
        if (read === undefined) {
          useless.push(Number(row));
          continue;
        }
        found.push(read.memory);
        bytes += read.bytes;
        if (bytes >= maxBytes) break;
      }
      if (useless.length > 0) await this.#leave(useless);
    } while (found.length === 0 && useless.length > 0);
    return found;
  }

  settle(
    items: readonly SettledMemory[],
    { identity }: { readonly identity: EmbedderIdentity; readonly now: number },
  ): Promise<number> {
    return this.#database.write((): Written<number> => {
      const record = readRecord(this.#database);
      if (record?.state !== "RUNNING" || !sameModel(record.target, identity)) return { result: 0 };
      let settled = 0;
      for (const { outcome, ...version } of items) {
        const there = this.#unchanged(version);
        if (there === undefined) continue;
        settled += 1;
        if (isRefusal(outcome)) this.#note(there.row, `REFUSED ${outcome.refusal}`);
        else {
          this.#database.run(
            "INSERT OR REPLACE INTO memory_vector_next (row, vector) VALUES (?, ?)",
            there.row,
            encodeVector(outcome.vector),
          );
          if (outcome.truncated !== there.truncated) {
            this.#note(there.row, outcome.truncated ? "TRUNCATED" : "WHOLE");
          }
        }
        this.#database.run("DELETE FROM reembedding_todo WHERE row = ?", there.row);
      }
      return { result: settled };
    });
  }

  /** Leaves memories out of the re-embedding: they are pending after the cut-over. */
  postpone(items: readonly (MemoryVersion & { readonly dueTime: number })[]): Promise<void> {
    return this.#database.write((): Written<void> => {
      if (readRecord(this.#database)?.state !== "RUNNING") return { result: undefined };
      for (const item of items) {
        const there = this.#unchanged(item);
        if (there === undefined) continue;
        this.#note(there.row, "LATE");
        this.#database.run("DELETE FROM reembedding_todo WHERE row = ?", there.row);
      }
      return { result: undefined };
    });
  }

  #leave(rows: readonly number[]): Promise<void> {
    return this.#database.write((): Written<void> => {
      if (readRecord(this.#database)?.state === "RUNNING") {
        for (const row of rows) this.#database.run("DELETE FROM reembedding_todo WHERE row = ?", row);
      }
      return { result: undefined };
    });
  }

  #note(row: number, what: Note): void {
    this.#database.run("INSERT OR REPLACE INTO reembedding_note (row, what) VALUES (?, ?)", row, what);
  }

  #unchanged(version: MemoryVersion): { readonly row: number; readonly truncated: boolean } | undefined {
    const namespaceId = this.#namespaces.find(version.scope);
    if (namespaceId === undefined) return undefined;
    try {
      const found: Row | undefined = this.#database.first(
        `SELECT m.row, m.id, m.record FROM memory m JOIN reembedding_todo t ON t.row = m.row
         WHERE m.namespace_id = ? AND m.id = ?`,
        namespaceId,
        version.id,
      );
      if (found === undefined) return undefined;
      const { etag, embedding } = recordOf(found);
      return etag === version.etag
        ? { row: Number(found["row"]), truncated: embedding.truncated }
        : undefined;
    } catch (error) {
      if (isDamage(error)) return undefined;
      throw error;
    }
  }
}
