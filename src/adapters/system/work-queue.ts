import process from "node:process";
import { deadlineExceeded, type RecollectError } from "../../domain/errors.ts";
import { FairQueue, type WaitingWork } from "../../domain/load/fair-queue.ts";
import { laneOf, longestWaitMs, weightOfLane } from "../../domain/load/overload-policy.ts";
import { EstimateCorrection, ServiceTimes } from "../../domain/load/service-times.ts";
import type { OperatorLog } from "../../ports/log.ts";
import type { LoadMetrics } from "../../ports/metrics.ts";
import type { Work, WorkKind, WorkQueue } from "../../ports/work-queue.ts";
import { EventLoopDelay } from "./event-loop-delay.ts";
import { Refusals } from "./refusals.ts";

export interface WorkQueueOptions {
  /** Pieces of work that wait, at most. */
  readonly maxWaiting: number;
  readonly metrics: LoadMetrics;
  readonly log: Pick<OperatorLog, "warn">;
  /** A clock for tests, in milliseconds. */
  readonly now?: () => number;
}

/**
 * Heavy work is started for so long before the event loop gets its turn, in milliseconds; what is under way then is
 * finished. A search takes longer, and so is alone. Where reading connections and refusing calls take longer than this,
 * work gets as much time as they do: so the calls that are refused never take more than half of the time from those that
 * are served. Up to a bound, for the refused ones should not wait either.
 */
const MIN_SLICE_MS = 2;
const MAX_SLICE_MS = 50;

/**
 * Work that is under way at most, in units. It matters where the store is another process: Redis answers a connection in
 * order, and a search holds its one thread up for a millisecond or more, so that what comes behind, such as an exact
 * lookup, waits for no more than eight of them. Fewer leave Redis idle between one and the next (measured, of 32 by
 * meaning alone: 4 bring a quarter less a second than 8).
 */
const UNITS = 64;
const UNITS_OF: Readonly<Record<WorkKind, number>> = { SEARCH: 8, LOOKUP: 4, READ: 2, WRITE: 2 };

interface Waiting extends WaitingWork {
  readonly kind: WorkKind;
  readonly size?: number;
  readonly start: () => void;
  readonly drop: (error: unknown) => void;
}

/** See WorkQueue. One for the process. */
export class FairWorkQueue implements WorkQueue, Disposable {
  readonly #options: WorkQueueOptions;
  readonly #waiting = new FairQueue<Waiting>(weightOfLane);
  readonly #times = new ServiceTimes<WorkKind>();
  readonly #correction = new EstimateCorrection();
  readonly #refusals: Refusals;
  readonly #delay: EventLoopDelay;
  readonly #now: () => number;
  readonly #stopObserving: () => void;
  #units = 0;
  /** When the first work of this turn of the event loop was started; undefined: none was. */
  #sliceStart: number | undefined;
  #sliceMs = MIN_SLICE_MS;
  /** When the last slice ended, and left work that waits; undefined: it left none. */
  #sliceEnd: number | undefined;
  #isScheduled = false;
  /** What was started last while other work waited; undefined: nothing waited meanwhile. */
  #last: { readonly kind: WorkKind; readonly size: number; readonly time: number } | undefined;
  /** When work was last started or has ended. */
  #progress = 0;

  constructor(options: WorkQueueOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#delay = new EventLoopDelay(this.#now);
    this.#refusals = new Refusals(options.log);
    this.#stopObserving = options.metrics.observeLoad(() => ({
      waiting: this.#waiting.size,
      eventLoopDelayMs: this.#delay.ms(this.#now()),
    }));
  }

  [Symbol.dispose](): void {
    this.#stopObserving();
    this.#delay[Symbol.dispose]();
  }

  get isWaiting(): boolean {
    return this.#waiting.size > 0;
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
    return this.#wait(work, signal, task);
  }

  runNow<T>(kind: WorkKind, task: () => Promise<T>): Promise<T> | undefined {
    const now = this.#now();
    if (this.#waiting.size > 0 || !this.#mayStart(kind, now)) return undefined;
    return this.#start({ kind }, now, task);
  }

  #wait<T>(work: Work, signal: AbortSignal, task: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const abort = (): void => {
        if (this.#waiting.remove(waiting)) drop(signal.reason);
      };
      const drop = (error: unknown): void => {
        signal.removeEventListener("abort", abort);
        if (this.#now() > work.deadline) observe();
        this.#options.metrics.workDropped(work.kind);
        reject(error);
      };
      const begin = this.#now();
      const { size = 1 } = work;
      const lane = laneOf(work.kind === "LOOKUP", work.deadline - begin);
      const aheadMs = this.#waiting.aheadMs(work.tenant, lane);
      const observe = (): void => this.#correction.observe(aheadMs, this.#now() - begin);
      const waiting: Waiting = {
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
      this.#waiting.add(waiting);
      this.#schedule();
    });
  }

  #start<T>(work: Pick<Work, "kind" | "size">, now: number, task: () => Promise<T>): Promise<T> {
    this.#sliceStart ??= now;
    this.#progress = now;
    this.#units += UNITS_OF[work.kind];
    this.#schedule();
    const ended = started(task);
    const end = (): void => this.#ended(work, now);
    ended.then(end, end);
    return ended;
  }

  #ended({ kind, size = 1 }: Pick<Work, "kind" | "size">, startTime: number): void {
    this.#units -= UNITS_OF[kind];
    this.#progress = this.#now();
    if (this.#waiting.size > 0) {
      this.#schedule();
      return;
    }
    this.#last = undefined;
    // So many at once are under way where they wait for something else, such as Redis. Where they do not, that shows
    // as soon as one waits for another.
    if (this.#units === 0)
      this.#times.guess(kind, ((this.#progress - startTime) * UNITS_OF[kind]) / UNITS / size);
  }

  /** The next slice, when connections have been read. */
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

  /** Starts what waits, one piece after what the one before does without waiting, until the slice is over. */
  #startNext(): void {
    const now = this.#now();
    // Of which kind the next one is shows when it is taken; it may be one that has room.
    const work = this.#mayStart("SEARCH", now) ? this.#take(now) : undefined;
    if (work === undefined) {
      this.#sliceEnd = this.#waiting.size === 0 ? undefined : now;
      return;
    }
    if (this.#last !== undefined) {
      this.#times.observe(this.#last.kind, (now - this.#last.time) / this.#last.size);
    }
    this.#last = { kind: work.kind, size: work.size ?? 1, time: now };
    work.start();
    // A tick comes behind all microtasks, in which a store of this process does the most of its work.
    queueMicrotask(() => process.nextTick(() => this.#startNext()));
  }

  #take(now: number): Waiting | undefined {
    const { work, expired } = this.#waiting.next(now);
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

  /** Whether work can be started in this turn, as the first: how long it takes shows only when its microtasks have run. */
  #isIdle(kind: WorkKind): boolean {
    return (
      this.#sliceStart === undefined && this.#waiting.size === 0 && this.#units + UNITS_OF[kind] <= UNITS
    );
  }

  #refusalOf(work: Work, now: number): RecollectError | undefined {
    const remainingMs = work.deadline - now;
    if (remainingMs <= 0) return deadlineExceeded();
    const { size } = this.#waiting;
    if (this.#isIdle(work.kind)) return undefined;
    const delayMs = this.#delay.ms(now);
    // What is under way and does not end, such as with a Redis that hangs, holds up what waits.
    const stalledMs = this.#units + UNITS_OF.SEARCH > UNITS ? now - this.#progress : 0;
    const lane = laneOf(work.kind === "LOOKUP", remainingMs);
    const aheadMs = this.#waiting.aheadMs(work.tenant, lane) * this.#correction.factor;
    // What holds the event loop up shows in the estimate too, as far as work waited for it.
    const waitMs = Math.max(aheadMs, delayMs, stalledMs);
    const isTooLong = size >= this.#options.maxWaiting || waitMs > longestWaitMs(remainingMs);
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
