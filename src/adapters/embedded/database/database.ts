import { statSync } from "node:fs";
import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import { RecollectError } from "../../../domain/errors.ts";
import type { DataDirectory } from "./data-directory.ts";
import { guarded, isCorrupt, isFull, translate } from "./errors.ts";
import { LogEraser } from "./log-eraser.ts";
import { openSqlite } from "./open-sqlite.ts";
import { OpenedFile } from "./opened-file.ts";
import type { ReservedSpace } from "./reserved-space.ts";

/** A value read from, or bound to, a statement. */
export type Row = Record<string, SQLInputValue>;

/** The result of a write. `afterCommit` runs once it is on disk, such as to update a cache in memory. */
export interface Written<T> {
  readonly result: T;
  readonly afterCommit?: () => void;
}

export interface DatabaseOptions {
  /** Called each time a statement meets damaged data. */
  readonly onCorrupt?: () => void;
  /** Called when the file was removed or replaced. */
  readonly onLost?: () => void;
  /** The directory of the file, used to explain failed writes. */
  readonly directory?: DataDirectory;
  /** The reserved disk space for deletions; undefined: none, and a full disk refuses deletions too. */
  readonly reserved?: ReservedSpace;
}

export interface WriteOptions {
  /** False: the write does not wait for an fsync, unless another write of its transaction does. */
  readonly durable?: boolean;
  /** Size of a large write: writes that exceed MAX_TRANSACTION_BYTES together do not share a transaction. */
  readonly bytes?: number;
  /** The write removes more than it adds, so it may use the reserved space of a full disk. */
  readonly deletes?: boolean;
  /** Called when the transaction is rolled back, to undo what `work` has changed in memory. */
  readonly onUndone?: () => void;
}

/**
 * One SQLite file in WAL mode. Reads run at once. Writes of the same tick of the event loop are batched into one
 * transaction, and so one fsync, up to a size; each has its own savepoint, so that a refused one is rolled back alone. A
 * write resolves when the transaction is on disk (synchronous = FULL). On a full disk, writes run again one by one:
 * deletions in the reserved space, others as far as there is space.
 */
export class Database implements Disposable {
  readonly file: string;
  /** Whether the file already existed with data. */
  readonly existed: boolean;
  readonly #sqlite: DatabaseSync;
  readonly #options: DatabaseOptions;
  readonly #statements = new Map<string, StatementSync>();
  readonly #queue: QueuedWrite[] = [];
  /** Whether a commit waits for an fsync; initially as openSqlite sets it. */
  #synchronous = true;
  #checkpointPause: CheckpointPause | undefined;
  readonly #opened: OpenedFile;
  readonly #eraser = new LogEraser(() => this.#checkpoint());
  /** Whether max_page_count lets the file grow; initially as SQLite opens a file. */
  #mayGrow = true;
  /** The WAL is too long and the disk too full for a checkpoint: the WAL must not grow any further. */
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

  /** The same for FTS5's shadow tables, which are otherwise read-only; only inside `write`. */
  runOnShadow(sql: string, ...values: SQLInputValue[]): void {
    this.#sqlite.enableDefensive(false);
    try {
      this.run(sql, ...values);
    } finally {
      this.#sqlite.enableDefensive(true);
    }
  }

  /**
   * Calls `changed` with the number of each row of a table (its column `row`) that any statement updates or deletes,
   * inside the write: it may still be rolled back.
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
   * Runs a checkpoint and then pauses checkpoints, so that the file does not change: later writes collect in the WAL
   * until the returned function is called. `onOverflow` is called once, when the WAL exceeds `maxLogBytes`. Undefined,
   * and nothing changes, when the first checkpoint fails.
   */
  pauseCheckpoints(maxLogBytes: number, onOverflow: () => void): (() => void) | undefined {
    try {
      if (!this.#checkpoint()) return undefined;
      this.#sqlite.exec("PRAGMA wal_autocheckpoint = 0");
    } catch {
      // The caller logs the failure. The next commit fails with the same error, if it persists.
      return undefined;
    }
    this.#checkpointPause = { maxLogBytes, onOverflow };
    return () => {
      this.#checkpointPause = undefined;
      if (!this.#closed) this.#sqlite.exec(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
    };
  }

  /** Runs `work` on the SQLite connection, outside any transaction. `work` leaves none open. */
  maintain<T>(work: (sqlite: DatabaseSync) => T): T {
    if (this.#closed) throw closed();
    return guarded(() => work(this.#sqlite));
  }

  [Symbol.dispose](): void {
    if (this.#closed) return;
    while (this.#queue.length > 0) this.#commitQueue();
    this.#eraser[Symbol.dispose]();
    this.#closed = true;
    this.#sqlite.close();
  }

  #commitQueue(): void {
    const queue = this.#takeQueue();
    if (queue.length === 0) return;
    const hasRoom = !this.#stuck || this.#checkpoint();
    if (!hasRoom || !this.#commit(queue)) this.#commitOnFullDisk(queue);
    this.#checkLogSize();
    if (queue.some(({ options }) => options.deletes === true)) this.#eraser.afterDeletion();
  }

  /** The writes of the next transaction, in order. Writes beyond its size follow in the next tick of the event loop. */
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

  /** Commits one transaction and settles its writes. False, with nothing done or settled, when the disk is full. */
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

  /** Deletions come first, as they free space. Other writes run one at a time, so that each is refused alone. */
  #commitOnFullDisk(queue: readonly QueuedWrite[]): void {
    const deletions = queue.filter(({ options }) => options.deletes === true);
    const others = queue.filter(({ options }) => options.deletes !== true);
    this.#endCheckpointPause();
    this.#checkpoint();
    this.#restoreReservedSpace();
    if (!this.#commit(deletions)) this.#deleteInReservedSpace(deletions);
    for (const write of others) if (this.#stuck || !this.#commit([write])) write.fail(full());
  }

  #deleteInReservedSpace(deletions: readonly QueuedWrite[]): void {
    this.#options.reserved?.release();
    this.#boundPages();
    // No automatic checkpoint, which could fail and use up the space.
    this.#sqlite.exec("PRAGMA wal_autocheckpoint = 0");
    this.#checkpoint();
    if (!this.#commit(deletions)) {
      for (const write of deletions) {
        // After a checkpoint, all of the space is free for the next deletion.
        this.#checkpoint();
        if (!this.#commit([write])) write.fail(full());
      }
    }
    this.#checkpoint();
    this.#sqlite.exec(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
    this.#restoreReservedSpace();
  }

  /** Checkpoints and truncates the WAL, unless checkpoints are paused. False when that fails. */
  #checkpoint(): boolean {
    if (this.#checkpointPause !== undefined) return false;
    if (!this.#hasRoomForLog()) {
      this.#stuck = this.#logBytes > (this.#options.reserved?.maxLogBytes ?? Number.POSITIVE_INFINITY);
      return false;
    }
    try {
      const checkpointed = this.#sqlite.prepare("PRAGMA wal_checkpoint(TRUNCATE)").get();
      this.#stuck = false;
      return checkpointed?.["busy"] === 0;
    } catch {
      // Nothing is lost, and the next commit fails with the reason.
      return false;
    }
  }

  /** Whether the file can grow by the pages of the WAL: a failed checkpoint would use up the space and move nothing. */
  #hasRoomForLog(): boolean {
    const free = this.#options.reserved?.freeBytes;
    if (free === undefined) return true;
    const pages = Number(this.#sqlite.prepare("PRAGMA page_count").get()?.["page_count"]);
    const size = statSync(this.file, { throwIfNoEntry: false })?.size ?? 0;
    return pages * PAGE_BYTES - size <= free;
  }

  /** Restores the reserved space as far as the disk has room, and sets whether the file may grow. */
  #restoreReservedSpace(): void {
    this.#options.reserved?.restore(this.#logBytes);
    this.#boundPages();
  }

  #boundPages(): void {
    const { reserved } = this.#options;
    if (reserved === undefined || reserved.mayGrow === this.#mayGrow) return;
    this.#mayGrow = reserved.mayGrow;
    // SQLite raises a bound below the current number of pages to that number.
    this.#sqlite.exec(`PRAGMA max_page_count = ${this.#mayGrow ? MAX_PAGES : 1}`);
  }

  get #logBytes(): number {
    return statSync(`${this.file}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  }

  #checkLogSize(): void {
    const { reserved } = this.#options;
    if (this.#checkpointPause !== undefined) {
      // The file must have space for the whole WAL at the next checkpoint.
      const free = reserved?.freeBytes ?? Number.POSITIVE_INFINITY;
      if (this.#logBytes > Math.min(this.#checkpointPause.maxLogBytes, free)) this.#endCheckpointPause();
    } else if (reserved !== undefined && this.#logBytes > reserved.maxLogBytes) this.#checkpoint();
    if (reserved?.isShort === true) this.#restoreReservedSpace();
  }

  #endCheckpointPause(): void {
    const pause = this.#checkpointPause;
    this.#checkpointPause = undefined;
    pause?.onOverflow();
  }

  #guarded<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (isCorrupt(error)) this.#options.onCorrupt?.();
      throw translate(error);
    }
  }

  /** Returns what to do after the commit: succeed, or fail alone. */
  #runSavepoint(write: QueuedWrite): () => void {
    this.#sqlite.exec("SAVEPOINT one");
    try {
      const written = write.work();
      this.#sqlite.exec("RELEASE one");
      return () => write.succeed(written);
    } catch (error) {
      // On some errors SQLite has already rolled back the whole transaction. On a full disk, all writes run again.
      if (!this.#sqlite.isTransaction || isFull(error)) throw error;
      this.#sqlite.exec("ROLLBACK TO one; RELEASE one");
      return () => write.fail(translate(error));
    }
  }

  /** In WAL mode NORMAL commits without an fsync; the next fsync covers earlier commits. */
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

/** SQLite's default; no file here changes it. */
const PAGE_BYTES = 4096;

/** SQLite's default: an automatic checkpoint runs when the WAL has this many pages. */
const CHECKPOINT_PAGES = 1000;

/** Some 10 ms of the event loop, and 50 when the full-text index merges what it has written. */
const MAX_TRANSACTION_BYTES = 64 * 1024;

/** SQLite's default. */
const MAX_PAGES = 4_294_967_294;

interface CheckpointPause {
  readonly maxLogBytes: number;
  readonly onOverflow: () => void;
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
