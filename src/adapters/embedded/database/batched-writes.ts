import { FlushTimer } from "../../../lib/flush-timer.ts";
import type { Log } from "../../../ports/log.ts";
import type { Database, Written } from "./database.ts";

/**
 * What is counted is written when there is so much of it, or after so long: a hit or a read then costs no write of its
 * own. The time is what a crash may lose; the number only bounds the memory, and is high because a commit stops the
 * event loop for as long as many exact hits take, though it does not wait for the disk.
 */
const LIMITS = { size: 1024, milliseconds: 1000 };

export interface BatchedWritesOptions<Batch> {
  readonly database: Database;
  readonly log: Log;
  /** What the log says when a batch is lost. */
  readonly lost: string;
  /** Hands over everything that was counted so far; undefined when there is nothing. */
  readonly take: () => Batch | undefined;
  /** Inside the transaction. */
  readonly write: (batch: Batch) => void;
  /** The batch is written, or lost. */
  readonly settle?: (batch: Batch) => void;
}

/** Writes what is counted in memory, now and then. Disposing it leaves a last batch to the database. */
export class BatchedWrites<Batch> implements Disposable {
  readonly #options: BatchedWritesOptions<Batch>;
  readonly #timer = new FlushTimer(() => void this.flush(), LIMITS);
  /** Batches are written in their order, so this one is the last to end. */
  #latest = Promise.resolve();

  constructor(options: BatchedWritesOptions<Batch>) {
    this.#options = options;
  }

  /** Something was counted, and so much is to be written now. */
  counted(size: number): void {
    this.#timer.added(size);
  }

  /** Resolves when what was counted so far is written. Never rejects: what cannot be counted is no reason to fail. */
  flush(): Promise<void> {
    this.#timer.reset();
    const { database, log, lost, take, write, settle } = this.#options;
    const batch = take();
    if (batch === undefined) return this.#latest;
    this.#latest = database
      .write(
        (): Written<void> => {
          write(batch);
          return { result: undefined, afterCommit: () => settle?.(batch) };
        },
        { durable: false },
      )
      .catch((error: unknown) => {
        settle?.(batch);
        log.warn({ err: error }, lost);
      });
    return this.#latest;
  }

  [Symbol.dispose](): void {
    void this.flush();
  }
}
