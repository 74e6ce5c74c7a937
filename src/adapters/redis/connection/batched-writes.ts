import { FlushTimer } from "../../../lib/flush-timer.ts";
import type { Log } from "../../../ports/log.ts";

/**
 * Counts are flushed when there are so many, or after so long: a hit or a read then costs no write of its own. The time
 * is what a crash may lose; the number bounds the memory.
 */
const LIMITS = { size: 1024, milliseconds: 1000 };

export interface BatchedWritesOptions<Batch> {
  readonly log: Log;
  /** The log message when a batch could not be written. */
  readonly failureMessage: string;
  /** Takes everything that was counted so far; undefined when there is nothing. */
  readonly take: () => Batch | undefined;
  readonly write: (batch: Batch) => Promise<unknown>;
}

/** Writes counts from memory in batches, and the last one when it is disposed of. */
export class BatchedWrites<Batch> implements AsyncDisposable {
  readonly #options: BatchedWritesOptions<Batch>;
  readonly #timer = new FlushTimer(() => void this.flush(), LIMITS);
  /** The writes in progress; undefined: none. */
  #writing: Promise<void> | undefined;

  constructor(options: BatchedWritesOptions<Batch>) {
    this.#options = options;
  }

  /** Call after counting something; `size` counts are not written yet. */
  counted(size: number): void {
    this.#timer.added(size);
  }

  /**
   * Resolves when the counts so far are written; undefined when they already are. Never rejects: a count that cannot be
   * written is logged.
   */
  flush(): Promise<void> | undefined {
    this.#timer.reset();
    const { log, failureMessage, take, write } = this.#options;
    const batch = take();
    if (batch === undefined) return this.#writing;
    const written = write(batch).catch((error: unknown) => log.warn({ err: error }, failureMessage));
    // Batches do not wait for each other; a caller waits for all of them.
    const writing = Promise.all([this.#writing, written]).then(() => {
      if (this.#writing === writing) this.#writing = undefined;
    });
    this.#writing = writing;
    return writing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.flush();
  }
}
