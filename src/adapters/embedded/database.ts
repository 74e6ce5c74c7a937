import { mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import { RecollectError } from "../../domain/errors.ts";
import { migrate } from "./migrations.ts";
import { OpenedFile } from "./opened-file.ts";

/** A value read from, or bound to, a statement. */
export type Row = Record<string, SQLInputValue>;

/** What a write leaves to be done once it is on disk, such as updating what is kept in memory. */
export interface Written<T> {
  readonly result: T;
  readonly afterCommit?: () => void;
}

/**
 * One SQLite file in WAL mode. Reads run at once. Writes that are asked for in the same turn of the event loop
 * share one transaction, and so one fsync, unless they are much; each is a savepoint of its own, so that a refused one
 * undoes itself alone. A write resolves when the transaction is on disk (synchronous = FULL).
 */
export class Database implements Disposable {
  readonly file: string;
  /** The file was there before, with data in it. */
  readonly existed: boolean;
  readonly #sqlite: DatabaseSync;
  readonly #onCorrupt: () => void;
  readonly #statements = new Map<string, StatementSync>();
  #queue: QueuedWrite[] = [];
  /** Whether a commit waits for the disk; as openSqlite leaves it. */
  #synchronous = true;
  #stillness: Stillness | undefined;
  readonly #opened: OpenedFile;
  #closed = false;

  /** `onCorrupt` is called each time a statement comes upon damage, `onLost` when the file was removed or replaced. */
  constructor(file: string, onCorrupt: () => void = () => undefined, onLost: () => void = () => undefined) {
    const { sqlite, format } = openSqlite(file);
    this.file = file;
    this.existed = format > 0;
    this.#sqlite = sqlite;
    this.#onCorrupt = onCorrupt;
    this.#opened = new OpenedFile(file, onLost);
  }

  /** Throws STORE_UNAVAILABLE when the file was removed or replaced. */
  verifyFile(): void {
    this.#opened.verify();
  }

  /** All rows of a query. */
  all(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.#guarded(() => this.#prepare(sql).all(...values) as Row[]);
  }

  /** The first row of a query, if there is one. */
  first(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#guarded(() => this.#prepare(sql).get(...values) as Row | undefined);
  }

  /** A statement that changes data; only inside `write`. Returns the number of the row it inserted. */
  run(sql: string, ...values: SQLInputValue[]): number {
    return Number(this.#guarded(() => this.#prepare(sql).run(...values)).lastInsertRowid);
  }

  /** The same for tables that FTS5 keeps for itself, which are read-only otherwise; only inside `write`. */
  runOnShadow(sql: string, ...values: SQLInputValue[]): void {
    this.#sqlite.enableDefensive(false);
    try {
      this.run(sql, ...values);
    } finally {
      this.#sqlite.enableDefensive(true);
    }
  }

  /**
   * Calls `changed` with the number of each row of a table (its column `row`) that is updated or deleted, whoever
   * does it and by whatever way, while it happens: the write may still be undone.
   */
  onChange(table: string, changed: (row: number) => void): void {
    const name = `${table}_changed`;
    this.#guarded(() => {
      this.#sqlite.function(name, (row) => {
        changed(Number(row));
        return null;
      });
      for (const event of ["UPDATE", "DELETE"]) {
        this.#sqlite.exec(
          `CREATE TEMP TRIGGER ${name}_by_${event} AFTER ${event} ON main.${table} BEGIN SELECT ${name}(OLD.row); END`,
        );
      }
    });
  }

  /**
   * Runs `work` in a transaction and resolves with its result when that is on disk. With `durable: false` it does not
   * wait for the disk, unless others of its transaction do: what it wrote may be lost when the machine fails. `bytes`:
   * what it writes, where that may be much; writes that are much together do not share a transaction.
   */
  write<T>(work: () => Written<T>, { durable = true, bytes = 0 } = {}): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#closed) {
        reject(closed());
        return;
      }
      this.#queue.push({
        work,
        durable,
        bytes,
        succeed: (written) => {
          const { result, afterCommit } = written as Written<T>;
          afterCommit?.();
          resolve(result);
        },
        fail: reject,
      });
      if (this.#queue.length === 1) setImmediate(() => this.#commitQueue());
    });
  }

  /**
   * Moves all that was written into the file, which then stays as it is: what is written from now on collects in the
   * log beside it, until the returned function is called. `onTooMuch` is called once, when that log has grown beyond
   * `maxLogBytes`. Undefined, and nothing changes, when the file cannot be brought up to date.
   */
  holdStill(maxLogBytes: number, onTooMuch: () => void): (() => void) | undefined {
    try {
      const moved = this.#sqlite.prepare("PRAGMA wal_checkpoint(TRUNCATE)").get();
      if (moved?.["busy"] !== 0) return undefined;
      this.#sqlite.exec("PRAGMA wal_autocheckpoint = 0");
    } catch {
      // Says the caller, who knows what the stillness was for. The next commit meets the same obstacle, if it stays.
      return undefined;
    }
    this.#stillness = { maxLogBytes, onTooMuch };
    return () => {
      this.#stillness = undefined;
      if (!this.#closed) this.#sqlite.exec(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
    };
  }

  /** Work on the file itself, between two transactions. It leaves none open. */
  maintain<T>(work: (sqlite: DatabaseSync) => T): T {
    if (this.#closed) throw closed();
    return guarded(() => work(this.#sqlite));
  }

  [Symbol.dispose](): void {
    if (this.#closed) return;
    while (this.#queue.length > 0) this.#commitQueue();
    this.#closed = true;
    this.#sqlite.close();
  }

  #commitQueue(): void {
    const queue = this.#takeQueue();
    if (queue.length === 0) return;
    const done: (() => void)[] = [];
    try {
      this.verifyFile();
      this.#synchronize(queue.some(({ durable }) => durable));
      this.#sqlite.exec("BEGIN IMMEDIATE");
      for (const write of queue) done.push(this.#runSavepoint(write));
      this.#sqlite.exec("COMMIT");
    } catch (error) {
      this.#rollBack();
      const failure = translate(error);
      for (const write of queue) write.fail(failure);
      return;
    }
    for (const settle of done) settle();
    this.#watchLog();
  }

  /** The writes of the next transaction, in order. What is too much for one comes in the next turn of the event loop. */
  #takeQueue(): QueuedWrite[] {
    let bytes = 0;
    const end = this.#queue.findIndex((write, at) => {
      bytes += write.bytes;
      return at > 0 && write.bytes > 0 && bytes > MAX_TRANSACTION_BYTES;
    });
    if (end === -1) return this.#queue.splice(0);
    setImmediate(() => this.#commitQueue());
    return this.#queue.splice(0, end);
  }

  #watchLog(): void {
    if (this.#stillness === undefined) return;
    const { maxLogBytes, onTooMuch } = this.#stillness;
    const log = statSync(`${this.file}-wal`, { throwIfNoEntry: false });
    if (log === undefined || log.size <= maxLogBytes) return;
    this.#stillness = undefined;
    onTooMuch();
  }

  #guarded<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (primaryCode(error) === SQLITE_CORRUPT) this.#onCorrupt();
      throw translate(error);
    }
  }

  /** What to do when the transaction has been committed: succeed, or fail alone. */
  #runSavepoint(write: QueuedWrite): () => void {
    this.#sqlite.exec("SAVEPOINT one");
    try {
      const written = write.work();
      this.#sqlite.exec("RELEASE one");
      return () => write.succeed(written);
    } catch (error) {
      // SQLite has already ended the whole transaction on some errors, a full disk among them.
      if (!this.#sqlite.isTransaction) throw error;
      this.#sqlite.exec("ROLLBACK TO one; RELEASE one");
      return () => write.fail(translate(error));
    }
  }

  /** In WAL mode NORMAL commits without an fsync; the next commit with one takes what came before along. */
  #synchronize(durable: boolean): void {
    if (this.#synchronous === durable) return;
    this.#sqlite.exec(`PRAGMA synchronous = ${durable ? "FULL" : "NORMAL"}`);
    this.#synchronous = durable;
  }

  #rollBack(): void {
    if (this.#sqlite.isTransaction) this.#sqlite.exec("ROLLBACK");
  }

  #prepare(sql: string): StatementSync {
    if (this.#closed) throw closed();
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#sqlite.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

/** SQLite's own default: the log is moved into the file when it is so many pages long. */
const CHECKPOINT_PAGES = 1000;

/** Some 10 ms of the event loop, and 50 when the full-text index merges what it has written. */
const MAX_TRANSACTION_BYTES = 64 * 1024;

interface Stillness {
  readonly maxLogBytes: number;
  readonly onTooMuch: () => void;
}

interface QueuedWrite {
  readonly work: () => Written<unknown>;
  readonly durable: boolean;
  readonly bytes: number;
  readonly succeed: (written: Written<unknown>) => void;
  readonly fail: (error: unknown) => void;
}

function openSqlite(file: string): { readonly sqlite: DatabaseSync; readonly format: number } {
  makeDirectory(dirname(file));
  return guarded(() => {
    const sqlite = new DatabaseSync(file, { enableForeignKeyConstraints: true });
    try {
      // One process: the file stays locked until this one ends, however it ends.
      sqlite.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
      // In KiB: 64 MiB of pages, so that a search of a large namespace does not read them from the file each time.
      sqlite.exec("PRAGMA cache_size = -65536");
      return { sqlite, format: migrate(sqlite) };
    } catch (error) {
      sqlite.close();
      throw isBusy(error) ? inUse(file, error) : error;
    }
  });
}

function makeDirectory(path: string): void {
  try {
    mkdirSync(path, { recursive: true });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new RecollectError("STORE_UNAVAILABLE", `the data directory (DATA_DIR) cannot be used: ${why}`, {
      metadata: { backend: "embedded" },
      cause,
    });
  }
}

function inUse(file: string, cause: unknown): RecollectError {
  return new RecollectError(
    "STORE_UNAVAILABLE",
    `${file} is in use by another process; the embedded store serves one at a time (choose another DATA_DIR, or Redis)`,
    { metadata: { backend: "embedded" }, cause },
  );
}

function closed(): RecollectError {
  return new RecollectError("STORE_UNAVAILABLE", "the store is closed", {
    metadata: { backend: "embedded" },
  });
}

function guarded<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw translate(error);
  }
}

// https://www.sqlite.org/rescode.html; node:sqlite gives the extended code, whose low byte is the primary one.
const SQLITE_BUSY = 5;
const SQLITE_LOCKED = 6;
const SQLITE_READONLY = 8;
const SQLITE_IOERR = 10;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_CANTOPEN = 14;
const SQLITE_NOTADB = 26;

function isBusy(error: unknown): boolean {
  return primaryCode(error) === SQLITE_BUSY;
}

function primaryCode(error: unknown): number | undefined {
  return error instanceof Error && "errcode" in error ? Number(error.errcode) & 0xff : undefined;
}

/** SQLite's failures as errors of the port; anything else is a bug and stays what it is. */
function translate(error: unknown): unknown {
  const metadata = { backend: "embedded" };
  switch (primaryCode(error)) {
    case SQLITE_FULL:
      return new RecollectError("STORE_FULL", "the disk is full", { metadata, cause: error });
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return new RecollectError("STORE_CORRUPT", "stored data is damaged", { metadata, cause: error });
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_READONLY:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
      return new RecollectError("STORE_UNAVAILABLE", "the store does not answer", {
        metadata,
        retryAfterMs: 1000,
        cause: error,
      });
    default:
      return error;
  }
}
