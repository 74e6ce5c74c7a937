import { Redis, type RedisOptions } from "ioredis";
import type { Log } from "../../ports/log.ts";
import { Attempts } from "./attempts.ts";
import { Recovery } from "./recovery.ts";
import { areReads, onlyReads } from "./repeats.ts";
import type { Script } from "./script.ts";
import { storeError } from "./store-error.ts";

/** Bulk strings come as bytes; what is missing as null. */
export type Reply = Buffer | number | null | readonly Reply[];

export type Argument = string | number | Buffer;
export type Command = readonly [name: string, ...args: Argument[]];

export interface ConnectionOptions {
  readonly host: string;
  readonly port: number;
  readonly username: string | undefined;
  readonly password: string | undefined;
  /** Absent: without TLS. */
  readonly tls?: {
    readonly servername?: string;
    readonly ca?: Buffer;
    readonly cert?: Buffer;
    readonly key?: Buffer;
  };
  /** Without a sign of life for so long, Redis is taken for gone. */
  readonly socketTimeoutMs: number;
  readonly connectTimeoutMs: number;
  /** See repeats.ts. */
  readonly retryOnTimeout: boolean;
}

/** Reconnecting waits for so long at most, and at first for so long; half of it by chance, so that not all come at once. */
const MAX_BACK_OFF_MS = 2000;
const FIRST_BACK_OFF_MS = 50;

/** A connection goes before the commands on it time out: these then say that Redis lives and is slow. */
const SILENCE_SHARE = 0.9;

/** Longer than most idle connections are left alone by what stands between. */
const KEEP_ALIVE_MS = 30_000;

/**
 * One connection to Redis, over which everything is sent without waiting for answers (a second one is slower: see
 * docs/operations/redis.md). Rejects with STORE_UNAVAILABLE or STORE_FULL where that is what Redis says. While there is
 * no connection, commands fail at once: nothing queues up, and callers are told when to come again. A connection that
 * has just been broken is made again first (recovery.ts), and what may be repeated is sent once more (attempts.ts).
 */
export class RedisClient implements AsyncDisposable {
  readonly #redis: Redis;
  readonly #attempts: Attempts;

  private constructor(redis: Redis, attempts: Attempts) {
    this.#redis = redis;
    this.#attempts = attempts;
  }

  /** Resolves when Redis has answered; rejects with STORE_UNAVAILABLE when it does not. */
  static async open(options: ConnectionOptions, log: Log): Promise<RedisClient> {
    const redis = new Redis(redisOptions(options));
    // Without a listener an error event ends the process. It says why, which the failed commands do not.
    let reported = "";
    redis.on("error", (error: Error) => {
      if (reported !== error.message) log.warn({ err: error }, "no connection to Redis");
      reported = error.message;
    });
    redis.on("ready", () => {
      reported = "";
    });
    const recovery = new Recovery(redis, options.connectTimeoutMs);
    try {
      await redis.connect();
    } catch (error) {
      redis.disconnect();
      throw storeError(error);
    }
    return new RedisClient(redis, new Attempts(recovery, options.retryOnTimeout));
  }

  command(...command: Command): Promise<Reply> {
    return this.#attempts.send(areReads([command]), 1, () => this.#call(command));
  }

  /** Sends all of them in one round trip; rejects when one of them fails, though the others are carried out. */
  pipeline(commands: readonly Command[]): Promise<Reply[]> {
    return this.#attempts.send(areReads(commands), commands.length, async () => {
      const pipeline = this.#redis.pipeline();
      for (const [name, ...args] of commands) pipeline.callBuffer(name, ...args);
      return ((await pipeline.exec()) ?? []).map(([error, result]) => {
        if (error !== null) throw error;
        return result as Reply;
      });
    });
  }

  /**
   * Runs a script by its digest, and sends its text when Redis does not know it (a restart, SCRIPT FLUSH). `mayRepeat`:
   * it changes something, and may be sent again nevertheless.
   */
  run(
    script: Script,
    keys: readonly string[],
    args: readonly Argument[],
    { mayRepeat = false }: { readonly mayRepeat?: boolean } = {},
  ): Promise<Reply> {
    return this.#attempts.send(mayRepeat || onlyReads(script), 1, async () => {
      try {
        return await this.#call(["EVALSHA", script.digest, keys.length, ...keys, ...args]);
      } catch (error) {
        if (!(error instanceof Error) || !error.message.startsWith("NOSCRIPT")) throw error;
        return this.#call(["EVAL", script.text, keys.length, ...keys, ...args]);
      }
    });
  }

  async #call([name, ...args]: Command): Promise<Reply> {
    return (await this.#redis.callBuffer(name, ...args)) as Reply;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#redis.disconnect();
    // That waits for the other side, which may never answer.
    this.#redis.stream?.destroy();
  }
}

function redisOptions(options: ConnectionOptions) {
  const { host, port, username, password, tls, socketTimeoutMs, connectTimeoutMs } = options;
  // Decided on purpose, one by one: see docs/operations/redis.md.
  return {
    host,
    port,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(tls === undefined ? {} : { tls }),
    // RediSearch 2.8 answers with another shape over RESP3.
    protocol: 2,
    lazyConnect: true,
    connectionName: "recollect",
    commandTimeout: socketTimeoutMs,
    socketTimeout: socketTimeoutMs * SILENCE_SHARE,
    keepAlive: KEEP_ALIVE_MS,
    connectTimeout: connectTimeoutMs,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: (times) => {
      const most = Math.min(FIRST_BACK_OFF_MS * 2 ** (times - 1), MAX_BACK_OFF_MS);
      return most / 2 + (Math.random() * most) / 2;
    },
  } as const satisfies RedisOptions;
}
