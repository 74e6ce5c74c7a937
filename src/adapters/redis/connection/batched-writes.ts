import { FlushTimer } from "../../../lib/flush-timer.ts";
import type { Log } from "../../../ports/log.ts";

/**
 * What is counted is written when there is so much of it, or after so long: a hit or a read then costs no write of its
 * own. The time is what a crash may lose; the number bounds the memory.
 */
const LIMITS = { size: 1024, milliseconds: 1000 };

export interface BatchedWritesOptions<Batch> {
  readonly log: Log;
  /** What the log says when a batch is lost. */
  readonly lost: string;
  /** Hands over everything that was counted so far; undefined when there is nothing. */
  readonly take: () => Batch | undefined;
  readonly write: (batch: Batch) => Promise<unknown>;
}

/** Writes what is counted in memory, now and then, and when it is disposed of. */
export class BatchedWrites<Batch> implements AsyncDisposable {
  readonly #options: BatchedWritesOptions<Batch>;
  readonly #timer = new FlushTimer(() => void this.flush(), LIMITS);
  /** What is being written; undefined when nothing is. */
  #writing: Promise<void> | undefined;

  constructor(options: BatchedWritesOptions<Batch>) {
    this.#options = options;
  }

  /** Something was counted, and so much is to be written now. */
  counted(size: number): void {
    this.#timer.added(size);
  }

  /**
   * Resolves when what was counted so far is written; undefined when it is, so that nobody waits for nothing. Never
   * rejects: what cannot be counted is no reason to fail.
   */
  flush(): Promise<void> | undefined {
    this.#timer.reset();
    const { log, lost, take, write } = this.#options;
    const batch = take();
    if (batch === undefined) return this.#writing;
    const written = write(batch).catch((error: unknown) => log.warn({ err: error }, lost));
    // Not in turn, so that one that waits for Redis holds up no other; who asks waits for all of them.
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
