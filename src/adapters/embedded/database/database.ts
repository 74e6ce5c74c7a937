import { statSync } from "node:fs";
import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import { RecollectError } from "../../../domain/errors.ts";
import type { DataDirectory } from "./data-directory.ts";
import { guarded, isCorrupt, isFull, translate } from "./errors.ts";
import { openSqlite } from "./open-sqlite.ts";
import { OpenedFile } from "./opened-file.ts";
import type { ReservedSpace } from "./reserved-space.ts";

/** A value read from, or bound to, a statement. */
export type Row = Record<string, SQLInputValue>;

/** What a write leaves to be done once it is on disk, such as updating what is kept in memory. */
export interface Written<T> {
  readonly result: T;
  readonly afterCommit?: () => void;
}

export interface DatabaseOptions {
  /** Called each time a statement meets damaged data. */
  readonly onCorrupt?: () => void;
  /** Is called when the file was removed or replaced. */
  readonly onLost?: () => void;
  /** Where the file lies, which can say why it cannot be written. */
  readonly directory?: DataDirectory;
  /** What is kept back for deletions; undefined: nothing, and a full disk refuses them too. */
  readonly reserved?: ReservedSpace;
}

export interface WriteOptions {
  /** False: it does not wait for the disk, unless others of its transaction do. */
  readonly durable?: boolean;
  /** What it writes, where that may be much: writes that are much together do not share a transaction. */
  readonly bytes?: number;
  /** It removes more than it adds, and so succeeds on a full disk. */
  readonly deletes?: boolean;
  /** Undoes what `work` has changed in memory, if it has run, when its transaction is undone. */
  readonly onUndone?: () => void;
}

/**
 * One SQLite file in WAL mode. Reads run at once. Writes that are asked for in the same turn of the event loop
 * share one transaction, and so one fsync, unless they are much; each is a savepoint of its own, so that a refused one
 * undoes itself alone. A write resolves when the transaction is on disk (synchronous = FULL). On a full disk, writes run
 * again one by one: deletions in the space that is kept back for them, others as far as there is room.
 */
export class Database implements Disposable {
  readonly file: string;
  /** The file was there before, with data in it. */
  readonly existed: boolean;
  readonly #sqlite: DatabaseSync;
  readonly #options: DatabaseOptions;
  readonly #statements = new Map<string, StatementSync>();
  readonly #queue: QueuedWrite[] = [];
  /** Whether a commit waits for the disk; as openSqlite leaves it. */
  #synchronous = true;
  #stillness: Stillness | undefined;
  readonly #opened: OpenedFile;
  /** As SQLite opens a file. */
  #mayGrow = true;
  /** The log is too long, and the disk too full to move it into the file: it must not grow any further. */
  #stuck = false;
  #closed = false;

  constructor(file: string, options: DatabaseOptions = {}) {
    const { sqlite, format } = openSqlite(file);
    this.file = file;
    this.existed = format > 0;
    this.#sqlite = sqlite;
    this.#options = options;
    this.#opened = new OpenedFile(file, () => options.onLost?.());
    this.#restoreReservedSpace();
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
   * Runs `work` in a transaction and resolves with its result when that is on disk. With `durable: false` what it wrote
   * may be lost when the machine fails. `work` may run more than once, each time after what it did has been undone.
   */
  write<T>(work: () => Written<T>, options: WriteOptions = {}): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#closed) {
        reject(closed());
        return;
      }
      this.#queue.push({
        work,
        options,
        succeed: (written) => {
          const { result, afterCommit } = written as Written<T>;
          afterCommit?.();
          resolve(result);
        },
        fail: (error) => reject(this.#options.directory?.explain(error) ?? error),
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
      if (!this.#moveLog()) return undefined;
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
    const hasRoom = !this.#stuck || this.#moveLog();
    if (!hasRoom || !this.#commit(queue)) this.#commitOnFullDisk(queue);
    this.#watchLog();
  }

  /** The writes of the next transaction, in order. What is too much for one comes in the next turn of the event loop. */
  #takeQueue(): QueuedWrite[] {
    let bytes = 0;
    const end = this.#queue.findIndex(({ options }, at) => {
      const { bytes: own = 0 } = options;
      bytes += own;
      return at > 0 && own > 0 && bytes > MAX_TRANSACTION_BYTES;
    });
    if (end === -1) return this.#queue.splice(0);
    setImmediate(() => this.#commitQueue());
    return this.#queue.splice(0, end);
  }

  /** One transaction; its writes are then settled. False, with nothing done or settled, when there is no room for it. */
  #commit(queue: readonly QueuedWrite[]): boolean {
    if (queue.length === 0) return true;
    const done: (() => void)[] = [];
    try {
      this.verifyFile();
      this.#synchronize(queue.some(({ options }) => options.durable !== false));
      this.#sqlite.exec("BEGIN IMMEDIATE");
      for (const write of queue) done.push(this.#runSavepoint(write));
      this.#sqlite.exec("COMMIT");
    } catch (error) {
      this.#rollBack();
      for (const write of queue) write.options.onUndone?.();
      if (isFull(error)) return false;
      const failure = translate(error);
      for (const write of queue) write.fail(failure);
      return true;
    }
    for (const settle of done) settle();
    return true;
  }

  /** Deletions come first, and make room for the others; of these one at a time, so that each is refused alone. */
  #commitOnFullDisk(queue: readonly QueuedWrite[]): void {
    const deletions = queue.filter(({ options }) => options.deletes === true);
    const others = queue.filter(({ options }) => options.deletes !== true);
    this.#endStillness();
    this.#moveLog();
    this.#restoreReservedSpace();
    if (!this.#commit(deletions)) this.#deleteInReservedSpace(deletions);
    for (const write of others) if (this.#stuck || !this.#commit([write])) write.fail(full());
  }

  #deleteInReservedSpace(deletions: readonly QueuedWrite[]): void {
    this.#options.reserved?.release();
    this.#boundPages();
    // Not by itself, where it may fail and take the room.
    this.#sqlite.exec("PRAGMA wal_autocheckpoint = 0");
    this.#moveLog();
    if (!this.#commit(deletions)) {
      for (const write of deletions) {
        // With the log moved into the file, all of the space is there for the next.
        this.#moveLog();
        if (!this.#commit([write])) write.fail(full());
      }
    }
    this.#moveLog();
    this.#sqlite.exec(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
    this.#restoreReservedSpace();
  }

  /** Moves the log into the file, which gives back its space, unless the file stands still. False when that fails. */
  #moveLog(): boolean {
    if (this.#stillness !== undefined) return false;
    if (!this.#hasRoomForLog()) {
      this.#stuck = this.#logBytes > (this.#options.reserved?.maxLogBytes ?? Number.POSITIVE_INFINITY);
      return false;
    }
    try {
      const moved = this.#sqlite.prepare("PRAGMA wal_checkpoint(TRUNCATE)").get();
      this.#stuck = false;
      return moved?.["busy"] === 0;
    } catch {
      // Nothing is lost, and the next commit says what is wrong.
      return false;
    }
  }

  /** Whether the file can grow by what it will hold: an attempt that fails would take the room, and move nothing. */
  #hasRoomForLog(): boolean {
    const free = this.#options.reserved?.freeBytes;
    if (free === undefined) return true;
    const pages = Number(this.#sqlite.prepare("PRAGMA page_count").get()?.["page_count"]);
    const size = statSync(this.file, { throwIfNoEntry: false })?.size ?? 0;
    return pages * PAGE_BYTES - size <= free;
  }

  /** Makes again what is kept back for deletions, as far as there is room, and lets the file grow or not. */
  #restoreReservedSpace(): void {
    this.#options.reserved?.restore(this.#logBytes);
    this.#boundPages();
  }

  #boundPages(): void {
    const { reserved } = this.#options;
    if (reserved === undefined || reserved.mayGrow === this.#mayGrow) return;
    this.#mayGrow = reserved.mayGrow;
    // A bound below the number of pages that there are becomes that number.
    this.#sqlite.exec(`PRAGMA max_page_count = ${this.#mayGrow ? MAX_PAGES : 1}`);
  }

  get #logBytes(): number {
    return statSync(`${this.file}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  }

  #watchLog(): void {
    const { reserved } = this.#options;
    if (this.#stillness !== undefined) {
      // Later, all of the log has to find room in the file.
      const free = reserved?.freeBytes ?? Number.POSITIVE_INFINITY;
      if (this.#logBytes > Math.min(this.#stillness.maxLogBytes, free)) this.#endStillness();
    } else if (reserved !== undefined && this.#logBytes > reserved.maxLogBytes) this.#moveLog();
    if (reserved?.isShort === true) this.#restoreReservedSpace();
  }

  #endStillness(): void {
    const stillness = this.#stillness;
    this.#stillness = undefined;
    stillness?.onTooMuch();
  }

  #guarded<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (isCorrupt(error)) this.#options.onCorrupt?.();
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
      // SQLite has already ended the whole transaction on some errors. On a full disk, all run again.
      if (!this.#sqlite.isTransaction || isFull(error)) throw error;
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

/** SQLite's own default, which no file here has changed. */
const PAGE_BYTES = 4096;

/** SQLite's own default: the log is moved into the file when it is so many pages long. */
const CHECKPOINT_PAGES = 1000;

/** Some 10 ms of the event loop, and 50 when the full-text index merges what it has written. */
const MAX_TRANSACTION_BYTES = 64 * 1024;

/** SQLite's own default. */
const MAX_PAGES = 4_294_967_294;

interface Stillness {
  readonly maxLogBytes: number;
  readonly onTooMuch: () => void;
}

interface QueuedWrite {
  readonly work: () => Written<unknown>;
  readonly options: WriteOptions;
  readonly succeed: (written: Written<unknown>) => void;
  readonly fail: (error: unknown) => void;
}

function closed(): RecollectError {
  return new RecollectError("STORE_UNAVAILABLE", "the store is closed", {
    metadata: { backend: "embedded" },
  });
}

function full(): RecollectError {
  return new RecollectError("STORE_FULL", "the disk is full", { metadata: { backend: "embedded" } });
}
