import type { Redis } from "ioredis";

/**
 * The immediate reconnect after a connection breaks. New commands, and those that may be retried, wait for its first
 * attempt, so that a briefly interrupted connection causes no errors. When that attempt fails or takes longer than
 * `limitMs` (Redis loads its data, or hangs), commands fail at once until Redis is back.
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
    // The library has given up: Reconnect starts later, and commands do not wait for it.
    redis.on("end", () => this.#end(false));
  }

  /** Resolves with whether the reconnect succeeds; undefined when none is in progress. */
  get reconnecting(): Promise<boolean> | undefined {
    // Redis has half-closed the connection: the command was not sent yet, so it may wait.
    if (this.#attempt === undefined && this.#wasReady && !this.#redis.stream.writable) this.#begin();
    return this.#attempt?.promise;
  }

  /** Whether there is a connection, after the reconnect in progress. */
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
