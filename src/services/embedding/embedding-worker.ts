import {
  type BacklogPace,
  FIRST_PACE,
  isHopeless,
  paceAfterFailure,
  paceAfterSuccess,
  pauseAfter,
  postponement,
} from "../../domain/embedding/backlog.ts";
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
  /** Before the first step; a rejection counts as a failure, and it is called again. */
  readonly begin?: () => Promise<void>;
  /** After each batch, and when nothing is due (`worked` is then false). */
  readonly afterStep: (worked: boolean) => Promise<NextStep>;
  /** After each failure; true ends the worker. */
  readonly afterFailure?: (error: unknown) => Promise<boolean>;
}

/**
 * What a worker does after a step: the next one, nothing any more, or nothing until `idleUntil` (milliseconds since the
 * epoch; undefined: without end) or until something is added.
 */
export type NextStep = "GO_ON" | "END" | { readonly idleUntil: number | undefined };

/** Embeds what is pending, until it is disposed of, which waits for what it writes and for nothing else. */
export interface EmbeddingWorker extends AsyncDisposable {
  /** Something was added to the queue. */
  added(): void;
  /** The provider answers again: no use in pausing. */
  recovered(): void;
  /** Resolves when the worker has ended, by itself or because it was disposed of. */
  readonly ended: Promise<void>;
}

/** Of what is read at once: a millisecond or so of reading. */
const BATCH_BYTES = 256 * 1024;
/**
 * Memories that get their vectors in one transaction; others get their turn between two of them. At most 16, and less of
 * long texts: a store may have to index all of a memory again.
 */
const SETTLE_LIMITS: StepLimits = { bytes: 64 * 1024, bytesAMemory: 4096 };
/** Texts under suspicion at once; with more of them it must be the provider. */
const MAX_SUSPECTS = 100;

/** Starts to give the memories of a queue their vectors, in its order. See BacklogPace for what a failure does. */
export function startEmbeddingWorker(ports: EmbeddingWorkerPorts): EmbeddingWorker {
  const worker = new Worker(ports);
  const ended = worker.run();
  return {
    added: () => worker.added(),
    recovered: () => worker.recovered(),
    ended,
    [Symbol.asyncDispose]: () => {
      worker.stop();
      return ended;
    },
  };
}

/** A text that failed alone, and how it failed last. */
interface Suspect extends PendingMemory {
  readonly error: unknown;
}

class Worker {
  readonly #ports: EmbeddingWorkerPorts;
  readonly #stopping = new AbortController();
  #pace: BacklogPace = FIRST_PACE;
  /** Failed alone since the last success; they are the first of the queue. */
  #suspects: Suspect[] = [];
  /** Were suspects when another succeeded: the provider may have come back between the two. They get a second chance. */
  readonly #acquitted = new Set<string>();
  /** Something was added that the step under way may not have seen. */
  #news = false;
  #waiting: { readonly idle: boolean; readonly ended: AbortController } | undefined;

  constructor(ports: EmbeddingWorkerPorts) {
    this.#ports = ports;
  }

  /** Never rejects. */
  async run(): Promise<void> {
    let begun = false;
    while (!this.#stopping.signal.aborted) {
      this.#news = false;
      try {
        if (!begun) await this.#ports.begin?.();
        begun = true;
        const next = await this.#ports.afterStep(await this.#step());
        if (next === "END") return;
        if (next === "GO_ON") await yieldToEventLoop();
        else await this.#idle(next.idleUntil);
      } catch (error) {
        if (this.#stopping.signal.aborted || (await this.#isOver(error))) return;
        await this.#failed(error);
      }
    }
  }

  added(): void {
    this.#news = true;
    if (this.#waiting?.idle === true) this.#waiting.ended.abort();
  }

  recovered(): void {
    this.#news = true;
    this.#waiting?.ended.abort();
  }

  stop(): void {
    this.#stopping.abort();
    this.#waiting?.ended.abort();
  }

  /** One batch; false when none is due. */
  async #step(): Promise<boolean> {
    const { queue, clock } = this.#ports;
    const batch = await queue.pending({
      limit: this.#pace.batchSize,
      maxBytes: BATCH_BYTES,
      skip: this.#suspects.length,
      now: clock.now(),
    });
    if (batch.length === 0) {
      // All that is due has failed, so it is not the texts.
      const again = this.#suspects.length > 0;
      this.#suspects = [];
      return again;
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
      if (batch.length === 1 && only !== undefined) this.#suspects.push({ ...only, error });
      if (this.#suspects.length > MAX_SUSPECTS) this.#suspects = [];
      throw error;
    }
  }

  async #succeeded(): Promise<void> {
    const { clock, log } = this.#ports;
    if (this.#pace.failures > 0) log.warn({}, "memories that waited get their vectors again");
    this.#pace = paceAfterSuccess(this.#pace);
    if (this.#suspects.length === 0) return;
    const now = clock.now();
    const guilty = this.#suspects.filter(
      (one) => one.attempts > 0 || this.#acquitted.delete(versionKey(one)),
    );
    for (const one of this.#suspects) if (!guilty.includes(one)) this.#acquitted.add(versionKey(one));
    this.#suspects = [];
    await this.#putOff(guilty, now);
  }

  /** Those that have failed too often, and may go on doing so, are put aside until the next start. */
  async #putOff(guilty: readonly Suspect[], now: number): Promise<void> {
    const { queue, random, embedder } = this.#ports;
    const isOver = ({ attempts, error }: Suspect): boolean => isHopeless(attempts, failureKind(error));
    const hopeless = guilty.filter(isOver);
    if (hopeless.length > 0) {
      await queue.settle(
        hopeless.map(({ scope, id, etag, error }) => ({ scope, id, etag, outcome: refusalBy(error) })),
        { identity: embedder.identity, now },
      );
    }
    await queue.postpone(
      guilty
        .filter((one) => !isOver(one))
        .map(({ scope, id, etag, attempts }) => ({
          scope,
          id,
          etag,
          dueTime: now + postponement(attempts, random()),
        })),
    );
  }

  async #isOver(error: unknown): Promise<boolean> {
    try {
      return (await this.#ports.afterFailure?.(error)) === true;
    } catch (failure) {
      this.#ports.log.warn({ err: failure }, "the store does not take the end of a worker");
      return false;
    }
  }

  async #failed(error: unknown): Promise<void> {
    if (this.#pace.failures === 0) this.#ports.log.warn({ err: error }, "memories wait for their vectors");
    this.#pace = paceAfterFailure(this.#pace);
    const asked = error instanceof RecollectError ? (error.detail.retryAfterMs ?? 0) : 0;
    await this.#wait(pauseAfter(this.#pace.failures, asked, this.#ports.random()), false);
  }

  async #idle(until: number | undefined): Promise<void> {
    if (this.#news) return;
    this.#acquitted.clear();
    await this.#wait(until === undefined ? undefined : Math.max(1, until - this.#ports.clock.now()), true);
  }

  /** Until the time is over, there is news that ends it, or the worker is stopped; undefined: without end. */
  async #wait(milliseconds: number | undefined, idle: boolean): Promise<void> {
    if (this.#stopping.signal.aborted) return;
    const ended = new AbortController();
    this.#waiting = { idle, ended };
    try {
      const { signal } = ended;
      await (milliseconds === undefined
        ? new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }))
        : this.#ports.sleep(Math.min(milliseconds, MAX_SLEEP_MS), signal));
    } catch (error) {
      if (!ended.signal.aborted) throw error;
    } finally {
      this.#waiting = undefined;
    }
  }
}

function versionKey({ scope, id, etag }: PendingMemory): string {
  return JSON.stringify([scope.tenant, scope.namespace, id, etag]);
}

/** Timers know no longer ones. */
const MAX_SLEEP_MS = 2 ** 31 - 1;
