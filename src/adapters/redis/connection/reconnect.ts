import type { Redis } from "ioredis";
import { backOffMs } from "./connection-options.ts";

/**
 * Connects again when the library has given a connection up for good (`end`), until this is disposed of. ioredis tries
 * again by itself where a connection fails, but not where something throws on the way to one: when Sentinels report a
 * failover while they are being asked for the primary, it calls off the attempt and never makes another
 * (https://github.com/redis/ioredis/issues/1683 shows what that looks like from outside).
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
    // What it fails with is emitted as an error too, and followed by `end` or a retry.
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
