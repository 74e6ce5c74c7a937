import type { Redis } from "ioredis";

/**
 * What follows when a connection breaks: it is made again at once. Commands that come meanwhile, and those that may be
 * sent again, wait for that one attempt, so that a connection that was merely cut costs nobody an error. When it fails or
 * takes longer than `limitMs` (Redis loads its data, or hangs), nobody waits any more until Redis is back.
 */
export class Recovery {
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
    // Given up by the library: who connects again (reopening.ts) begins later, and nobody waits for that.
    redis.on("end", () => this.#end(false));
  }

  /** Whether the attempt that is under way succeeds; undefined when none is. */
  get attempt(): Promise<boolean> | undefined {
    // The other side has ended it, and it is about to be closed: what comes now was not sent, so it may wait.
    if (this.#attempt === undefined && this.#wasReady && !this.#redis.stream.writable) this.#begin();
    return this.#attempt?.promise;
  }

  /** Whether there is a connection again, after the attempt. */
  async isBack(): Promise<boolean> {
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
