import type { Redis } from "ioredis";

/**
 * The reconnect that follows at once when a connection breaks. Commands that come meanwhile, and those that may be sent
 * again, wait for its first attempt, so that a connection that was merely cut costs no caller an error. When that attempt
 * fails or takes longer than `limitMs` (Redis loads its data, or hangs), commands fail at once until Redis is back.
 */
export class ReconnectWait {
  readonly #redis: Pick<Redis, "status" | "stream">;
  readonly #limitMs: number;
  #wasReady = false;
  #attempt: PromiseWithResolvers<boolean> | undefined;
  #limit: NodeJS.Timeout | undefined;

  constructor(redis: Pick<Redis, "status" | "stream" | "on">, limitMs: number) {
    this.#redis = redis;
    this.#limitMs = limitMs;
    redis.on("ready", () => {
      this.#wasReady = true;
      this.#end(true);
    });
    redis.on("close", () => {
      if (!this.#wasReady) this.#end(false);
      else if (this.#attempt === undefined) this.#begin();
      this.#wasReady = false;
    });
    // Given up by the library: Reconnect begins later, and commands do not wait for that.
    redis.on("end", () => this.#end(false));
  }

  /** Whether the first attempt succeeds; undefined when none is under way. */
  get reconnecting(): Promise<boolean> | undefined {
    // Redis has ended the connection, and it is about to be closed: a command was not sent yet, so it may wait.
    if (this.#attempt === undefined && this.#wasReady && !this.#redis.stream.writable) this.#begin();
    return this.#attempt?.promise;
  }

  /** Whether there is a connection, after the attempt that is under way. */
  async isConnected(): Promise<boolean> {
    return (await this.#attempt?.promise) ?? this.#redis.status === "ready";
  }

  #begin(): void {
    this.#attempt = Promise.withResolvers();
    this.#limit = setTimeout(() => this.#end(false), this.#limitMs).unref();
  }

  #end(succeeded: boolean): void {
    clearTimeout(this.#limit);
    this.#attempt?.resolve(succeeded);
    this.#attempt = undefined;
  }
}
