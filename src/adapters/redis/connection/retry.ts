import { storeError, unavailable } from "./errors.ts";
import type { ReconnectWait } from "./reconnect-wait.ts";
import { wasLost } from "./retryable.ts";

/**
 * Commands that wait for an answer, at most. Calls are bounded by admission, but a call that gives up, as a cache lookup
 * does, leaves its command pending.
 */
const MAX_PENDING_COMMANDS = 10_000;

type Connection = Pick<ReconnectWait, "reconnecting" | "isConnected">;

/**
 * How often a command is sent, and when: after a reconnect that is under way (reconnect-wait.ts), and a second time where
 * its connection broke and it may be repeated (retryable.ts). Rejects with the result of storeError.
 */
export class CommandRetry {
  readonly #connection: Connection | undefined;
  readonly #retryOnTimeout: boolean;
  #pending = 0;

  /** `connection` undefined: there are several, and a second attempt does not wait for any of them. */
  constructor(connection: Connection | undefined, retryOnTimeout: boolean) {
    this.#connection = connection;
    this.#retryOnTimeout = retryOnTimeout;
  }

  /** Calls `send`, which sends so many commands: once, or twice when `mayRetry` and the connection broke. */
  send<T>(mayRetry: boolean, commands: number, send: () => Promise<T>): Promise<T> {
    if (this.#pending >= MAX_PENDING_COMMANDS) {
      return Promise.reject(unavailable("too many commands wait for an answer of Redis"));
    }
    this.#pending += commands;
    // One promise for a command that is answered, as nearly all are: sending one is the most frequent thing in this
    // process.
    return this.#first(send).then(
      (answer) => {
        this.#pending -= commands;
        return answer;
      },
      async (error: unknown) => {
        try {
          return await this.#second(error, mayRetry, send);
        } catch (last) {
          throw storeError(last);
        } finally {
          this.#pending -= commands;
        }
      },
    );
  }

  #first<T>(send: () => Promise<T>): Promise<T> {
    const reconnecting = this.#connection?.reconnecting;
    if (reconnecting !== undefined) return reconnecting.then(send);
    try {
      return send();
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Throws the error of the first attempt, unless there may be a second one. */
  async #second<T>(error: unknown, mayRetry: boolean, send: () => Promise<T>): Promise<T> {
    if (!mayRetry || !this.#retryOnTimeout || !wasLost(error)) throw error;
    if (this.#connection !== undefined && !(await this.#connection.isConnected())) throw error;
    return send();
  }
}
