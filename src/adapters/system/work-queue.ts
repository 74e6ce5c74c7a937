import process from "node:process";
import { deadlineExceeded, type RecollectError } from "../../domain/errors.ts";
import { FairQueue, type QueuedWork } from "../../domain/load/fair-queue.ts";
import { laneOf, longestWaitMs, weightOfLane } from "../../domain/load/overload-policy.ts";
import { EstimateCorrection, ServiceTimes } from "../../domain/load/service-times.ts";
import type { OperatorLog } from "../../ports/log.ts";
import type { LoadMetrics } from "../../ports/metrics.ts";
import type { Work, WorkKind, WorkQueue } from "../../ports/work-queue.ts";
import { EventLoopDelay } from "./event-loop-delay.ts";
import { Refusals } from "./refusals.ts";

export interface WorkQueueOptions {
  /** Most pieces of work in the queue. */
  readonly maxQueued: number;
  readonly metrics: LoadMetrics;
  readonly log: Pick<OperatorLog, "warn">;
  /** A clock for tests, in milliseconds. */
  readonly now?: () => number;
}

/**
 * The length of a slice, in milliseconds: for so long pieces of work are started before the queue yields to the event
 * loop; running pieces finish. A search takes longer, and so has a slice of its own. When the rest of a tick (reading
 * connections, refusing calls) takes longer than the minimum, the next slice is as long: so refused calls never take more
 * than half of the time. The maximum bounds the delay of refused calls.
 */
const MIN_SLICE_MS = 2;
const MAX_SLICE_MS = 50;

/**
 * The limit of running work, in units. It matters when the store is another process: Redis answers a connection in order,
 * and a search blocks its single thread for a millisecond or more, so that a later command, such as an exact lookup, waits
 * for at most eight searches. Fewer leave Redis idle between two of them (measured with 32 concurrent vector searches: 4
 * give a quarter less throughput than 8).
 */
const UNITS = 64;
const UNITS_OF: Readonly<Record<WorkKind, number>> = { SEARCH: 8, LOOKUP: 4, READ: 2, WRITE: 2 };

interface QueuedTask extends QueuedWork {
  readonly kind: WorkKind;
  readonly size?: number;
  readonly start: () => void;
  readonly drop: (error: unknown) => void;
}

/** See WorkQueue. One for the process. */
export class FairWorkQueue implements WorkQueue, Disposable {
  readonly #options: WorkQueueOptions;
  readonly #queue = new FairQueue<QueuedTask>(weightOfLane);
  readonly #times = new ServiceTimes<WorkKind>();
  readonly #correction = new EstimateCorrection();
  readonly #refusals: Refusals;
  readonly #delay: EventLoopDelay;
  readonly #now: () => number;
  readonly #stopObserving: () => void;
  #units = 0;
  /** When the first work in this tick of the event loop was started; undefined: none. */
  #sliceStart: number | undefined;
  #sliceMs = MIN_SLICE_MS;
  /** When the last slice ended with work left in the queue; undefined: it left none. */
  #sliceEnd: number | undefined;
  #isScheduled = false;
  /** The last work that was started from the queue; undefined: the queue was empty since. */
  #last: { readonly kind: WorkKind; readonly size: number; readonly time: number } | undefined;
  /** When work was last started or finished. */
  #progress = 0;

  constructor(options: WorkQueueOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#delay = new EventLoopDelay(this.#now);
    this.#refusals = new Refusals(options.log);
    this.#stopObserving = options.metrics.observeLoad(() => ({
      queuedWork: this.#queue.size,
      eventLoopDelayMs: this.#delay.ms(this.#now()),
    }));
  }

  [Symbol.dispose](): void {
    this.#stopObserving();
    this.#delay[Symbol.dispose]();
  }

  get hasQueuedWork(): boolean {
    return this.#queue.size > 0;
  }

  refusal(work: Work): RecollectError | undefined {
    return this.#refusalOf(work, this.#now());
  }

  run<T>(work: Work, signal: AbortSignal, task: () => Promise<T>): Promise<T> {
    const now = this.#now();
    if (signal.aborted || work.deadline <= now) {
      this.#options.metrics.workDropped(work.kind);
      return Promise.reject(signal.aborted ? signal.reason : deadlineExceeded());
    }
    if (this.#isIdle(work.kind)) return this.#start(work, now, task);
    const refusal = this.#refusalOf(work, now);
    if (refusal !== undefined) return Promise.reject(refusal);
    return this.#enqueue(work, signal, task);
  }

  runNow<T>(kind: WorkKind, task: () => Promise<T>): Promise<T> | undefined {
    const now = this.#now();
    if (this.#queue.size > 0 || !this.#mayStart(kind, now)) return undefined;
    return this.#start({ kind }, now, task);
  }

  #enqueue<T>(work: Work, signal: AbortSignal, task: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const abort = (): void => {
        if (this.#queue.remove(queued)) drop(signal.reason);
      };
      const drop = (error: unknown): void => {
        signal.removeEventListener("abort", abort);
        if (this.#now() > work.deadline) observe();
        this.#options.metrics.workDropped(work.kind);
        reject(error);
      };
      const queueTime = this.#now();
      const { size = 1 } = work;
      const lane = laneOf(work.kind === "LOOKUP", work.deadline - queueTime);
      const aheadMs = this.#queue.aheadMs(work.tenant, lane);
      const observe = (): void => this.#correction.observe(aheadMs, this.#now() - queueTime);
      const queued: QueuedTask = {
        ...work,
        lane,
        costMs: this.#times.meanMs(work.kind) * size,
        start: () => {
          signal.removeEventListener("abort", abort);
          observe();
          resolve(this.#start(work, this.#now(), task));
        },
        drop,
      };
      signal.addEventListener("abort", abort, { once: true });
      this.#queue.add(queued);
      this.#schedule();
    });
  }

  #start<T>(work: Pick<Work, "kind" | "size">, now: number, task: () => Promise<T>): Promise<T> {
    this.#sliceStart ??= now;
    this.#progress = now;
    this.#units += UNITS_OF[work.kind];
    this.#schedule();
    const result = started(task);
    const finish = (): void => this.#finished(work, now);
    result.then(finish, finish);
    return result;
  }

  #finished({ kind, size = 1 }: Pick<Work, "kind" | "size">, startTime: number): void {
    this.#units -= UNITS_OF[kind];
    this.#progress = this.#now();
    if (this.#queue.size > 0) {
      this.#schedule();
      return;
    }
    this.#last = undefined;
    // Assumes full concurrency, as with work that waits for Redis; without it, `observe` corrects the estimate as soon as
    // work is queued.
    if (this.#units === 0)
      this.#times.guess(kind, ((this.#progress - startTime) * UNITS_OF[kind]) / UNITS / size);
  }

  /** Runs the next slice after the event loop has read connections. */
  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      const elsewhereMs = this.#sliceEnd === undefined ? 0 : this.#now() - this.#sliceEnd;
      this.#sliceMs = Math.min(MAX_SLICE_MS, Math.max(MIN_SLICE_MS, elsewhereMs));
      this.#sliceStart = undefined;
      this.#startNext();
    });
  }

  /** Starts queued work until the slice is over, each piece after the synchronous part of the one before. */
  #startNext(): void {
    const now = this.#now();
    // The kind of the next piece is unknown, so room for the largest kind is required.
    const work = this.#mayStart("SEARCH", now) ? this.#take(now) : undefined;
    if (work === undefined) {
      this.#sliceEnd = this.#queue.size === 0 ? undefined : now;
      return;
    }
    if (this.#last !== undefined) {
      this.#times.observe(this.#last.kind, (now - this.#last.time) / this.#last.size);
    }
    this.#last = { kind: work.kind, size: work.size ?? 1, time: now };
    work.start();
    // nextTick runs after all microtasks, in which a store in this process does most of its work.
    queueMicrotask(() => process.nextTick(() => this.#startNext()));
  }

  #take(now: number): QueuedTask | undefined {
    const { work, expired } = this.#queue.next(now);
    for (const late of expired) late.drop(deadlineExceeded());
    if (work === undefined) {
      this.#last = undefined;
      this.#correction.relax();
    }
    return work;
  }

  #mayStart(kind: WorkKind, now: number): boolean {
    if (this.#sliceStart !== undefined && now - this.#sliceStart >= this.#sliceMs) return false;
    return this.#units + UNITS_OF[kind] <= UNITS;
  }

  /** Whether work can be started as the first of this tick. Not a second one: how long the first takes is known only later. */
  #isIdle(kind: WorkKind): boolean {
    return this.#sliceStart === undefined && this.#queue.size === 0 && this.#units + UNITS_OF[kind] <= UNITS;
  }

  #refusalOf(work: Work, now: number): RecollectError | undefined {
    const remainingMs = work.deadline - now;
    if (remainingMs <= 0) return deadlineExceeded();
    const { size } = this.#queue;
    if (this.#isIdle(work.kind)) return undefined;
    const delayMs = this.#delay.ms(now);
    // Running work that does not finish, as with a Redis that hangs, delays queued work.
    const stalledMs = this.#units + UNITS_OF.SEARCH > UNITS ? now - this.#progress : 0;
    const lane = laneOf(work.kind === "LOOKUP", remainingMs);
    const aheadMs = this.#queue.aheadMs(work.tenant, lane) * this.#correction.factor;
    // Not the sum: the correction factor already contains earlier delays of the event loop.
    const waitMs = Math.max(aheadMs, delayMs, stalledMs);
    const isTooLong = size >= this.#options.maxQueued || waitMs > longestWaitMs(remainingMs);
    return isTooLong ? this.#refusals.overloaded(waitMs, now) : undefined;
  }
}

function started<T>(task: () => Promise<T>): Promise<T> {
  try {
    return task();
  } catch (error) {
    return Promise.reject(error);
  }
}
