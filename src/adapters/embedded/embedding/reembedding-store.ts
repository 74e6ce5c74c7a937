import { startReembedding } from "../../../domain/embedding/start-reembedding.ts";
import type { EmbedderIdentity } from "../../../ports/embedding/embedder.ts";
import type {
  Reembedding,
  ReembeddingStore,
  StartReembeddingOptions,
} from "../../../ports/embedding/reembedding-store.ts";
import type { Log } from "../../../ports/log.ts";
import type { Database, Written } from "../database/database.ts";
import type { PendingRows } from "../database/pending-rows.ts";
import type { NamespaceIds } from "../namespaces/namespace-ids.ts";
import type { VectorModel } from "../vectors/vector-model.ts";
import { changeEmbedder } from "./embedder-identity.ts";
import { isDamage, recordOf, writeEmbedding } from "./pending-memory.ts";
import { type ReembeddingRecord, readRecord, writeRecord } from "./reembedding-record.ts";
import { type Note, ReembeddingWork } from "./reembedding-work.ts";

/** Old vectors removed in one transaction. */
const CLEAN_STEP = 200;

/**
 * Fills a second table of vectors beside the one that is searched. The cut-over swaps the names of the two in one
 * transaction, at the same cost for any number of vectors; the old vectors are removed afterwards, in small steps.
 */
export class EmbeddedReembeddingStore implements ReembeddingStore {
  readonly work: ReembeddingWork;
  readonly #database: Database;
  readonly #model: VectorModel;
  readonly #pendingRows: PendingRows;

  constructor(
    database: Database,
    namespaces: NamespaceIds,
    options: { readonly model: VectorModel; readonly pendingRows: PendingRows; readonly log: Log },
  ) {
    this.#database = database;
    this.#model = options.model;
    this.#pendingRows = options.pendingRows;
    this.work = new ReembeddingWork(database, namespaces, options.log);
  }

  identity(): EmbedderIdentity | undefined {
    return this.#model.identity;
  }

  async latest(): Promise<Reembedding | undefined> {
    const record = readRecord(this.#database);
    return record === undefined ? undefined : this.#shown(record);
  }

  start(options: StartReembeddingOptions): Promise<Reembedding> {
    const { id, target, now, request } = options;
    return this.#database.write((): Written<Reembedding> => {
      const latest = readRecord(this.#database);
      const { identity } = this.#model;
      const isCleaningUp = this.#hasTable("memory_vector_old");
      const decided = startReembedding({ target, request }, { latest, identity, isCleaningUp });
      if ("latest" in decided) return { result: this.#shown(decided.latest) };
      this.#prepare();
      const counted = this.#database.first("SELECT count(*) AS count FROM reembedding_todo");
      const record: ReembeddingRecord = {
        id,
        source: decided.source,
        target,
        state: "RUNNING",
        memoryCount: Number(counted?.["count"] ?? 0),
        startTime: now,
        ...(request === undefined ? {} : { request: { key: request.key, bodyHash: request.bodyHash } }),
      };
      writeRecord(this.#database, record);
      return { result: this.#shown(record) };
    });
  }

  async cutOver(options: { readonly maxLeft: number; readonly now: number }): Promise<boolean> {
    try {
      return await this.#change(options);
    } catch (error) {
      this.#model.undo();
      throw error;
    }
  }

  #change({ maxLeft, now }: { readonly maxLeft: number; readonly now: number }): Promise<boolean> {
    return this.#database.write((): Written<boolean> => {
      const record = readRecord(this.#database);
      if (record?.state !== "RUNNING") return { result: false };
      const left = this.#database.all("SELECT row FROM reembedding_todo LIMIT ?", maxLeft + 1);
      if (left.length > maxLeft) return { result: false };
      this.#database.run("DROP TRIGGER memory_vector_to_reembed");
      this.#database.run("ALTER TABLE memory_vector RENAME TO memory_vector_old");
      this.#database.run("ALTER TABLE memory_vector_next RENAME TO memory_vector");
      // The new model may take what the old one refused.
      this.#database.run("UPDATE memory_waiting SET due_time = since, refused = 0 WHERE refused = 1");
      for (const { row } of left) this.#finish(Number(row), "LATE", record.target, now);
      for (const { row, what } of this.#database.all("SELECT row, what FROM reembedding_note")) {
        this.#finish(Number(row), what as Note, record.target, now);
      }
      this.#dropLists();
      const generation = changeEmbedder(this.#database, record.target);
      writeRecord(this.#database, { ...record, state: "DONE", endTime: now });
      // Last, when nothing of this write can fail any more; writes behind it in the transaction see it.
      this.#model.announce({ identity: record.target, generation });
      return {
        result: true,
        afterCommit: () => {
          this.#model.change();
          this.#pendingRows.added.notify();
        },
      };
    });
  }

  onCutOver(listener: (identity: EmbedderIdentity) => void): void {
    this.#model.onChange(() => {
      const { identity } = this.#model;
      if (identity !== undefined) listener(identity);
    });
  }

  fail(failure: string, now: number): Promise<void> {
    return this.#database.write((): Written<void> => {
      const record = readRecord(this.#database);
      if (record?.state !== "RUNNING") return { result: undefined };
      this.#database.run("DROP TRIGGER memory_vector_to_reembed");
      this.#database.run("ALTER TABLE memory_vector_next RENAME TO memory_vector_old");
      this.#dropLists();
      writeRecord(this.#database, { ...record, state: "FAILED", failure, endTime: now });
      return { result: undefined };
    });
  }

  cleanUp(): Promise<boolean> {
    if (!this.#hasTable("memory_vector_old")) return Promise.resolve(false);
    return this.#database.write(
      (): Written<boolean> => {
        this.#database.run(
          "DELETE FROM memory_vector_old WHERE row IN (SELECT row FROM memory_vector_old LIMIT ?)",
          CLEAN_STEP,
        );
        if (this.#database.first("SELECT 1 FROM memory_vector_old LIMIT 1") === undefined) {
          this.#database.run("DROP TABLE memory_vector_old");
        }
        return { result: true };
      },
      { durable: false },
    );
  }

  #prepare(): void {
    for (const sql of [
      `CREATE TABLE memory_vector_next (
         row INTEGER PRIMARY KEY REFERENCES memory ON DELETE CASCADE,
         vector BLOB NOT NULL
       ) STRICT`,
      "CREATE TABLE reembedding_todo (row INTEGER PRIMARY KEY REFERENCES memory ON DELETE CASCADE) STRICT",
      `CREATE TABLE reembedding_note (
         row INTEGER PRIMARY KEY REFERENCES memory ON DELETE CASCADE,
         what TEXT NOT NULL
       ) STRICT`,
      `CREATE TRIGGER memory_vector_to_reembed AFTER INSERT ON memory_vector BEGIN
         INSERT OR IGNORE INTO reembedding_todo (row) VALUES (NEW.row);
       END`,
      // Every memory has a vector or is pending, so the vectors themselves need not be read.
      `INSERT INTO reembedding_todo (row)
         SELECT row FROM memory WHERE row NOT IN (SELECT row FROM memory_waiting)`,
    ]) {
      this.#database.run(sql);
    }
  }

  #dropLists(): void {
    this.#database.run("DROP TABLE reembedding_todo");
    this.#database.run("DROP TABLE reembedding_note");
  }

  /** Applies the note of a memory at the cut-over. Does nothing for a damaged memory. */
  #finish(row: number, what: Note, target: EmbedderIdentity, now: number): void {
    try {
      const found = this.#database.first("SELECT id, record FROM memory WHERE row = ?", row);
      if (found === undefined) return;
      const memory = recordOf(found);
      const { provider, model, dimension } = target;
      const isRefused = what.startsWith("REFUSED");
      const state = isRefused ? "REFUSED" : what === "LATE" ? "PENDING" : "READY";
      const truncated = what === "TRUNCATED";
      const refusal = isRefused ? { refusal: what.slice("REFUSED ".length) } : {};
      writeEmbedding(this.#database, row, memory, {
        ...{ provider, model, dimension, state, truncated },
        ...refusal,
      });
      if (state !== "READY") this.#pendingRows.add(row, { since: now, refused: isRefused });
    } catch (error) {
      if (!isDamage(error)) throw error;
    }
  }

  #hasTable(name: string): boolean {
    return this.#database.first("SELECT 1 FROM sqlite_schema WHERE name = ?", name) !== undefined;
  }

  #shown({ request: _request, ...record }: ReembeddingRecord): Reembedding {
    const row =
      record.state === "RUNNING"
        ? this.#database.first("SELECT count(*) AS count FROM reembedding_todo")
        : undefined;
    return { ...record, remainingCount: Number(row?.["count"] ?? 0) };
  }
}
