import {
  type EmbeddingPace,
  FIRST_PACE,
  paceAfterFailure,
  paceAfterSuccess,
  pauseAfter,
  postponeDelay,
  shouldGiveUp,
} from "../../domain/embedding/embedding-pace.ts";
import { failureKind } from "../../domain/embedding/failure.ts";
import { refusalBy } from "../../domain/embedding/refusal.ts";
import { RecollectError } from "../../domain/errors.ts";
import { nextStep, type StepLimits } from "../../domain/memory/batch-steps.ts";
import { abortable } from "../../lib/abort.ts";
import { yieldToEventLoop } from "../../lib/yield-to-event-loop.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Embedder } from "../../ports/embedding/embedder.ts";
import type { EmbeddingQueue, PendingMemory, SettledMemory } from "../../ports/embedding/queue.ts";
import type { Log } from "../../ports/log.ts";
import type { Sleep } from "../../ports/sleep.ts";
import { embedEach } from "./embed-each.ts";

export interface EmbeddingWorkerPorts {
  readonly queue: EmbeddingQueue;
  readonly embedder: Embedder;
  readonly clock: Clock;
  readonly sleep: Sleep;
  /** 0 to below 1. */
  readonly random: () => number;
  readonly log: Log;
  /** Called before the first step; a rejection counts as a failure, and it is called again. */
  readonly begin?: () => Promise<void>;
  /** Called after each batch, and when nothing is due (`worked` is then false). */
  readonly afterStep: (worked: boolean) => Promise<NextStep>;
  /** Called after each failure; true stops the worker. */
  readonly afterFailure?: (error: unknown) => Promise<boolean>;
}

/**
 * What a worker does after a step: it runs the next one, stops, or idles until `idleUntil` (milliseconds since the epoch;
 * undefined: forever) or until memories are added.
 */
export type NextStep = "CONTINUE" | "STOP" | { readonly idleUntil: number | undefined };

/** Embeds pending memories until it is disposed. Disposing waits only for a write in progress. */
export interface EmbeddingWorker extends AsyncDisposable {
  /** Ends the idle time: memories were added to the queue. */
  added(): void;
  /** Ends the pause: the provider has recovered. */
  recovered(): void;
  /** Resolves when the worker has stopped, by itself or because it was disposed. */
  readonly stopped: Promise<void>;
}

/** Most bytes read at once: some milliseconds of reading. */
const BATCH_BYTES = 256 * 1024;
/**
 * Limits of one transaction that stores vectors; other calls are served between two of them. At most 16 memories, and
 * fewer with long texts: a store may have to index all of a memory again.
 */
const SETTLE_LIMITS: StepLimits = { bytes: 64 * 1024, bytesAMemory: 4096 };
/** Most skipped texts; with more the cause must be the provider. */
const MAX_SKIPPED = 100;

/** Starts to embed the memories of a queue, in its order. See EmbeddingPace for failures. */
export function startEmbeddingWorker(ports: EmbeddingWorkerPorts): EmbeddingWorker {
  const worker = new Worker(ports);
  const stopped = worker.run();
  return {
    added: () => worker.added(),
    recovered: () => worker.recovered(),
    stopped,
    [Symbol.asyncDispose]: () => {
      worker.stop();
      return stopped;
    },
  };
}

/** A memory whose text failed in a batch of its own, and the last error. */
interface FailedMemory extends PendingMemory {
  readonly error: unknown;
}

class Worker {
  readonly #ports: EmbeddingWorkerPorts;
  readonly #stopping = new AbortController();
  #pace: EmbeddingPace = FIRST_PACE;
  /** Skipped: failed alone since the last success; they are the first of the queue. */
  #skipped: FailedMemory[] = [];
  /**
   * Versions of memories that were skipped before a success of others. The provider may have recovered between the two, so
   * each gets a second attempt before it is postponed.
   */
  readonly #retried = new Set<string>();
  /** Memories were added, or the provider recovered, since the current step began. */
  #isWoken = false;
  #sleeping: { readonly idle: boolean; readonly wake: AbortController } | undefined;

  constructor(ports: EmbeddingWorkerPorts) {
    this.#ports = ports;
  }

  /** Never rejects. */
  async run(): Promise<void> {
    let hasBegun = false;
    while (!this.#stopping.signal.aborted) {
      this.#isWoken = false;
      try {
        if (!hasBegun) await this.#ports.begin?.();
        hasBegun = true;
        const next = await this.#ports.afterStep(await this.#step());
        if (next === "STOP") return;
        if (next === "CONTINUE") await yieldToEventLoop();
        else await this.#idle(next.idleUntil);
      } catch (error) {
        if (this.#stopping.signal.aborted || (await this.#shouldStop(error))) return;
        await this.#failed(error);
      }
    }
  }

  added(): void {
    this.#isWoken = true;
    if (this.#sleeping?.idle === true) this.#sleeping.wake.abort();
  }

  recovered(): void {
    this.#isWoken = true;
    this.#sleeping?.wake.abort();
  }

  stop(): void {
    this.#stopping.abort();
    this.#sleeping?.wake.abort();
  }

  /** One batch; false when none is due. */
  async #step(): Promise<boolean> {
    const { queue, clock } = this.#ports;
    const batch = await queue.pending({
      limit: this.#pace.batchSize,
      maxBytes: BATCH_BYTES,
      skip: this.#skipped.length,
      now: clock.now(),
    });
    if (batch.length === 0) {
      // All due texts failed, so the cause is the provider: try them again.
      const hasSkipped = this.#skipped.length > 0;
      this.#skipped = [];
      return hasSkipped;
    }
    const { identity } = this.#ports.embedder;
    const outcomes = await this.#embed(batch);
    const settled = batch.map(({ scope, id, etag }, index): SettledMemory => {
      const outcome = outcomes[index];
      if (outcome === undefined) throw new TypeError("a text without an outcome");
      return { scope, id, etag, outcome };
    });
    const textBytes = batch.map(({ text }) => Buffer.byteLength(text));
    for (let start = 0; start < settled.length; ) {
      const { length } = nextStep(textBytes, start, (bytes) => bytes, SETTLE_LIMITS);
      await queue.settle(settled.slice(start, start + length), { identity, now: clock.now() });
      start += length;
    }
    await this.#succeeded();
    return true;
  }

  async #embed(batch: readonly PendingMemory[]): Promise<Awaited<ReturnType<typeof embedEach>>> {
    const { signal } = this.#stopping;
    const texts = batch.map(({ text }) => text);
    try {
      return await abortable(embedEach(this.#ports.embedder, texts, signal), signal);
    } catch (error) {
      const [only] = batch;
      if (batch.length === 1 && only !== undefined) this.#skipped.push({ ...only, error });
      if (this.#skipped.length > MAX_SKIPPED) this.#skipped = [];
      throw error;
    }
  }

  async #succeeded(): Promise<void> {
    const { clock, log } = this.#ports;
    if (this.#pace.failures > 0) log.warn({}, "pending memories are embedded again");
    this.#pace = paceAfterSuccess(this.#pace);
    if (this.#skipped.length === 0) return;
    const now = clock.now();
    const failed = this.#skipped.filter((one) => one.attempts > 0 || this.#retried.delete(versionKey(one)));
    for (const one of this.#skipped) if (!failed.includes(one)) this.#retried.add(versionKey(one));
    this.#skipped = [];
    await this.#postpone(failed, now);
  }

  /** Postpones memories; those that have failed too often are marked as refused until the next start. */
  async #postpone(failed: readonly FailedMemory[], now: number): Promise<void> {
    const { queue, random, embedder } = this.#ports;
    const isLost = ({ attempts, error }: FailedMemory): boolean => shouldGiveUp(attempts, failureKind(error));
    const lost = failed.filter(isLost);
    if (lost.length > 0) {
      await queue.settle(
        lost.map(({ scope, id, etag, error }) => ({ scope, id, etag, outcome: refusalBy(error) })),
        { identity: embedder.identity, now },
      );
    }
    await queue.postpone(
      failed
        .filter((one) => !isLost(one))
        .map(({ scope, id, etag, attempts }) => ({
          scope,
          id,
          etag,
          dueTime: now + postponeDelay(attempts, random()),
        })),
    );
  }

  async #shouldStop(error: unknown): Promise<boolean> {
    try {
      return (await this.#ports.afterFailure?.(error)) === true;
    } catch (failure) {
      this.#ports.log.warn({ err: failure }, "the store could not record the failure of an embedding worker");
      return false;
    }
  }

  async #failed(error: unknown): Promise<void> {
    if (this.#pace.failures === 0)
      this.#ports.log.warn({ err: error }, "embedding failed: memories stay pending");
    this.#pace = paceAfterFailure(this.#pace);
    const retryAfterMs = error instanceof RecollectError ? (error.detail.retryAfterMs ?? 0) : 0;
    await this.#sleep(pauseAfter(this.#pace.failures, retryAfterMs, this.#ports.random()), false);
  }

  async #idle(until: number | undefined): Promise<void> {
    if (this.#isWoken) return;
    this.#retried.clear();
    await this.#sleep(until === undefined ? undefined : Math.max(1, until - this.#ports.clock.now()), true);
  }

  /** Sleeps until the time is over, or `added` (only while idle), `recovered` or `stop` is called; undefined: forever. */
  async #sleep(milliseconds: number | undefined, idle: boolean): Promise<void> {
    if (this.#stopping.signal.aborted) return;
    const wake = new AbortController();
    this.#sleeping = { idle, wake };
    try {
      const { signal } = wake;
      await (milliseconds === undefined
        ? new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }))
        : this.#ports.sleep(Math.min(milliseconds, MAX_SLEEP_MS), signal));
    } catch (error) {
      if (!wake.signal.aborted) throw error;
    } finally {
      this.#sleeping = undefined;
    }
  }
}

function versionKey({ scope, id, etag }: PendingMemory): string {
  return JSON.stringify([scope.tenant, scope.namespace, id, etag]);
}

/** The longest delay of a Node.js timer. */
const MAX_SLEEP_MS = 2 ** 31 - 1;
