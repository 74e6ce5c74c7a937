import { storeError, unavailable } from "./errors.ts";
import type { Recovery } from "./reconnect-wait.ts";
import { wasLost } from "./repeatable.ts";

/**
 * Commands that wait for an answer, at most. Calls are bounded by admission, but one that gives up, as a cache lookup
 * does, leaves its command behind.
 */
const MAX_WAITING = 10_000;

/** How often, and when, a command is sent: see repeats.ts and recovery.ts. Rejects with what storeError makes of it. */
export class Attempts {
  readonly #recovery: Pick<Recovery, "attempt" | "isBack"> | undefined;
  readonly #retryOnTimeout: boolean;
  #waiting = 0;

  constructor(recovery: Pick<Recovery, "attempt" | "isBack"> | undefined, retryOnTimeout: boolean) {
    this.#recovery = recovery;
    this.#retryOnTimeout = retryOnTimeout;
  }

  /** Calls `send`, which sends so many commands: once, or twice when `mayRepeat` and the connection broke. */
  send<T>(mayRepeat: boolean, commands: number, send: () => Promise<T>): Promise<T> {
    if (this.#waiting >= MAX_WAITING)
      return Promise.reject(unavailable("too many commands wait for an answer of Redis"));
    this.#waiting += commands;
    // One promise for a command that is answered, which nearly all are: it is the most frequent thing this process does.
    return this.#first(send).then(
      (answer) => {
        this.#waiting -= commands;
        return answer;
      },
      async (error: unknown) => {
        try {
          return await this.#again(error, mayRepeat, send);
        } catch (last) {
          throw storeError(last);
        } finally {
          this.#waiting -= commands;
        }
      },
    );
  }

  #first<T>(send: () => Promise<T>): Promise<T> {
    const attempt = this.#recovery?.attempt;
    if (attempt !== undefined) return attempt.then(send);
    try {
      return send();
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Throws what it failed with, unless it may be sent again. */
  async #again<T>(error: unknown, mayRepeat: boolean, send: () => Promise<T>): Promise<T> {
    if (!mayRepeat || !this.#retryOnTimeout || !wasLost(error)) throw error;
    if (this.#recovery !== undefined && !(await this.#recovery.isBack())) throw error;
    return send();
  }
}
