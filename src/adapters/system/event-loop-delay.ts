/** Between two looks, in milliseconds. */
const PERIOD_MS = 50;

/**
 * How long the event loop keeps work waiting: by how much a timer was late the last time, or is now, whichever is more.
 * So what holds the loop up shows while it does. perf_hooks has histograms of the same, which say nothing of this moment.
 */
export class EventLoopDelay implements Disposable {
  readonly #timer: NodeJS.Timeout;
  #looked: number;
  #lateMs = 0;

  constructor(now: () => number) {
    this.#looked = now();
    this.#timer = setInterval(() => {
      const time = now();
      this.#lateMs = Math.max(0, time - this.#looked - PERIOD_MS);
      this.#looked = time;
    }, PERIOD_MS);
    this.#timer.unref();
  }

  /** Milliseconds. */
  ms(now: number): number {
    return Math.max(this.#lateMs, now - this.#looked - PERIOD_MS, 0);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
