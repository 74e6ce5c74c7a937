import { FlushTimer } from "../../../lib/flush-timer.ts";
import type { Log } from "../../../ports/log.ts";
import type { Database, Written } from "./database.ts";

/**
 * Counts are flushed when there are so many, or after so long: a hit or a read then costs no write of its own. A crash
 * may lose the counts of this time; the number only bounds the memory, and is high because a commit blocks the event
 * loop for as long as many exact hits take, though it does not wait for an fsync.
 */
const LIMITS = { size: 1024, milliseconds: 1000 };

export interface BatchedWritesOptions<Batch> {
  readonly database: Database;
  readonly log: Log;
  /** The log message when a batch could not be written. */
  readonly failureMessage: string;
  /** Takes everything that was counted so far; undefined when there is nothing. */
  readonly take: () => Batch | undefined;
  /** Inside the transaction. */
  readonly write: (batch: Batch) => void;
  /** Called when the batch was written, or lost. */
  readonly settle?: (batch: Batch) => void;
}

/** Writes counts from memory in batches. Disposing it queues a last batch in the database. */
export class BatchedWrites<Batch> implements Disposable {
  readonly #options: BatchedWritesOptions<Batch>;
  readonly #timer = new FlushTimer(() => void this.flush(), LIMITS);
  /** The latest batch. Batches are written in order, so it finishes last. */
  #latest = Promise.resolve();

  constructor(options: BatchedWritesOptions<Batch>) {
    this.#options = options;
  }

  /** Call after counting something; `size` counts are not written yet. */
  counted(size: number): void {
    this.#timer.added(size);
  }

  /** Resolves when the counts so far are written. Never rejects: a count that cannot be written is logged. */
  flush(): Promise<void> {
    this.#timer.reset();
    const { database, log, failureMessage, take, write, settle } = this.#options;
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
        log.warn({ err: error }, failureMessage);
      });
    return this.#latest;
  }

  [Symbol.dispose](): void {
    void this.flush();
  }
}
