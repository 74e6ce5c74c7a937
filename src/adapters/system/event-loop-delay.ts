/** The period of the timer, in milliseconds. */
const PERIOD_MS = 50;

/**
 * The current delay of the event loop: how late a timer was at its last tick, or is now, whichever is more, so that it
 * includes a blockage that has not ended. perf_hooks has histograms of the same, without a current value.
 */
export class EventLoopDelay implements Disposable {
  readonly #timer: NodeJS.Timeout;
  #lastTick: number;
  #lateMs = 0;

  constructor(now: () => number) {
    this.#lastTick = now();
    this.#timer = setInterval(() => {
      const time = now();
      this.#lateMs = Math.max(0, time - this.#lastTick - PERIOD_MS);
      this.#lastTick = time;
    }, PERIOD_MS);
    this.#timer.unref();
  }

  /** Milliseconds. */
  ms(now: number): number {
    return Math.max(this.#lateMs, now - this.#lastTick - PERIOD_MS, 0);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
