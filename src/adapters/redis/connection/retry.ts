import { storeError, unavailable } from "./errors.ts";
import type { ReconnectWait } from "./reconnect-wait.ts";
import { wasLost } from "./retryable.ts";

/**
 * Maximum number of pending commands. Calls are bounded by admission, but a call that times out, as a cache lookup does,
 * leaves its command pending.
 */
const MAX_PENDING_COMMANDS = 10_000;

type Connection = Pick<ReconnectWait, "reconnecting" | "isConnected">;

/**
 * Sends commands: after a reconnect in progress (reconnect-wait.ts), and a second time when the connection broke and the
 * command may be retried (retryable.ts). Rejects with the result of storeError.
 */
export class CommandRetry {
  readonly #connection: Connection | undefined;
  readonly #retryOnTimeout: boolean;
  #pending = 0;

  /** `connection` undefined: there are several, and a retry does not wait for any of them. */
  constructor(connection: Connection | undefined, retryOnTimeout: boolean) {
    this.#connection = connection;
    this.#retryOnTimeout = retryOnTimeout;
  }

  /** Calls `send`, which sends so many commands: once, or twice when `mayRetry` and the connection broke. */
  send<T>(mayRetry: boolean, commands: number, send: () => Promise<T>): Promise<T> {
    if (this.#pending >= MAX_PENDING_COMMANDS) {
      return Promise.reject(unavailable("too many commands are pending in Redis"));
    }
    this.#pending += commands;
    // One promise for a successful command: sending commands is the most frequent operation of this process.
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

  /** Retries, or throws the error of the first attempt when no retry is allowed. */
  async #second<T>(error: unknown, mayRetry: boolean, send: () => Promise<T>): Promise<T> {
    if (!mayRetry || !this.#retryOnTimeout || !wasLost(error)) throw error;
    if (this.#connection !== undefined && !(await this.#connection.isConnected())) throw error;
    return send();
  }
}
