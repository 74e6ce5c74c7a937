import type { Redis } from "ioredis";
import { backOffMs } from "./connection-options.ts";

/**
 * Reconnects when the library has given up a connection (`end`), until this is disposed of. ioredis retries a failed
 * connection itself, but not when connecting throws: when Sentinels report a failover while it asks them for the primary,
 * it cancels the attempt and never starts another (https://github.com/redis/ioredis/issues/1683 shows the symptom).
 */
export class Reconnect implements Disposable {
  readonly #redis: Pick<Redis, "on" | "off" | "connect">;
  #attempts = 0;
  #next: NodeJS.Timeout | undefined;
  readonly #onReady = (): void => {
    this.#attempts = 0;
  };
  readonly #onEnd = (): void => {
    this.#attempts += 1;
    clearTimeout(this.#next);
    // The failure is emitted as an error event too, followed by `end` or a retry.
    this.#next = setTimeout(
      () => void this.#redis.connect().catch(() => undefined),
      backOffMs(this.#attempts),
    );
  };

  constructor(redis: Pick<Redis, "on" | "off" | "connect">) {
    this.#redis = redis;
    redis.on("ready", this.#onReady);
    redis.on("end", this.#onEnd);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#next);
    this.#redis.off("ready", this.#onReady);
    this.#redis.off("end", this.#onEnd);
  }
}
