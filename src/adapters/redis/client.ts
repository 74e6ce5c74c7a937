import { Redis, type RedisOptions } from "ioredis";
import type { Log } from "../../ports/log.ts";
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
  readonly socketTimeoutMs: number;
  readonly connectTimeoutMs: number;
}

/** Reconnecting waits for so long at most, and at first for so long; half of it by chance, so that not all come at once. */
const MAX_BACK_OFF_MS = 2000;
const FIRST_BACK_OFF_MS = 50;

/**
 * One connection to Redis, over which everything is sent without waiting for answers (a second one is slower: see
 * docs/operations/redis.md). Rejects with STORE_UNAVAILABLE or STORE_FULL where that is what Redis says. While there is
 * no connection, commands fail at once: nothing queues up, and callers are told when to come again. What was sent and
 * not answered when a connection breaks fails too: only the caller knows whether to repeat it.
 */
export class RedisClient implements AsyncDisposable {
  readonly #redis: Redis;

  private constructor(redis: Redis) {
    this.#redis = redis;
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
    try {
      await redis.connect();
    } catch (error) {
      redis.disconnect();
      throw storeError(error);
    }
    return new RedisClient(redis);
  }

  async command(...[name, ...args]: Command): Promise<Reply> {
    try {
      return (await this.#redis.callBuffer(name, ...args)) as Reply;
    } catch (error) {
      throw storeError(error);
    }
  }

  /** Sends all of them in one round trip; rejects when one of them fails, though the others are carried out. */
  async pipeline(commands: readonly Command[]): Promise<Reply[]> {
    const pipeline = this.#redis.pipeline();
    for (const [name, ...args] of commands) pipeline.callBuffer(name, ...args);
    let results: [error: Error | null, result: unknown][] | null;
    try {
      results = await pipeline.exec();
    } catch (error) {
      throw storeError(error);
    }
    return (results ?? []).map(([error, result]) => {
      if (error !== null) throw storeError(error);
      return result as Reply;
    });
  }

  /** Runs a script by its digest, and sends its text when Redis does not know it (a restart, SCRIPT FLUSH). */
  async run(script: Script, keys: readonly string[], args: readonly Argument[]): Promise<Reply> {
    try {
      return (await this.#redis.callBuffer("EVALSHA", script.digest, keys.length, ...keys, ...args)) as Reply;
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith("NOSCRIPT")) throw storeError(error);
    }
    return this.command("EVAL", script.text, keys.length, ...keys, ...args);
  }

  /** Resolves when the connection is closed: at once when there is none, and within two seconds of a server that hangs. */
  async [Symbol.asyncDispose](): Promise<void> {
    const isOpen = this.#redis.status === "ready" || this.#redis.status === "connect";
    const closed = new Promise<void>((resolve) => {
      if (isOpen) this.#redis.once("end", resolve);
      else resolve();
    });
    this.#redis.disconnect();
    await closed;
  }
}

function redisOptions(options: ConnectionOptions) {
  const { host, port, username, password, tls, socketTimeoutMs, connectTimeoutMs } = options;
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
