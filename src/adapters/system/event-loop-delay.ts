/** Between two looks, in milliseconds. */
const PERIOD_MS = 50;

/**
 * How long the event loop keeps work waiting: by how much a timer was late the last time, or is now, whichever is more.
 * So what holds the loop up shows while it does. perf_hooks has histograms of the same, which say nothing of this moment.
 */
export class EventLoopDelay implements Disposable {
  readonly #timer: NodeJS.Timeout;
  #looked = performance.now();
  #lateMs = 0;

  constructor() {
    this.#timer = setInterval(() => {
      const now = performance.now();
      this.#lateMs = Math.max(0, now - this.#looked - PERIOD_MS);
      this.#looked = now;
    }, PERIOD_MS);
    this.#timer.unref();
  }

  /** Milliseconds. */
  nowMs(now = performance.now()): number {
    return Math.max(this.#lateMs, now - this.#looked - PERIOD_MS);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
