import { isIP } from "node:net";
import { Redis, type RedisOptions } from "ioredis";
import type { Log } from "../../../ports/log.ts";
import { backOffMs, type ConnectionOptions, commonOptions } from "./connection-options.ts";
import { pipelined } from "./pipeline.ts";
import { Reconnect } from "./reconnect.ts";
import { ReconnectWait } from "./reconnect-wait.ts";
import { replicated } from "./replication.ts";
import type { Command, Reply, Routed, Servers } from "./servers.ts";

/** One server: the configured one, or the current primary according to the Sentinels. */
export class SingleServer implements Servers {
  readonly topology: "standalone" | "sentinel";
  readonly reconnectWait: ReconnectWait;
  readonly #redis: Redis;
  readonly #waitReplicas: number;
  readonly #reconnect: Reconnect;

  private constructor(
    redis: Redis,
    reconnectWait: ReconnectWait,
    reconnect: Reconnect,
    { sentinel, waitReplicas }: Pick<ConnectionOptions, "sentinel" | "waitReplicas">,
  ) {
    this.#redis = redis;
    this.#waitReplicas = waitReplicas;
    this.reconnectWait = reconnectWait;
    this.#reconnect = reconnect;
    this.topology = sentinel === undefined ? "standalone" : "sentinel";
  }

  static async open(options: ConnectionOptions, log: Log): Promise<SingleServer> {
    const { sentinel } = options;
    let isOpening = true;
    const redis = new Redis({
      ...commonOptions(options),
      ...(sentinel === undefined ? standalone(options) : behindSentinels(options, sentinel, () => isOpening)),
      enableOfflineQueue: false,
      retryStrategy: backOffMs,
      // The server is no longer the primary: its host name or the Sentinels resolve to the new one. An IP address does
      // not.
      reconnectOnError: (error: Error) => mayHaveMoved(options) && error.message.startsWith("READONLY"),
    });
    // Without a listener an error event exits the process. It has the reason, which failed commands lack.
    let reported = "";
    redis.on("error", (error: Error) => {
      if (reported !== error.message) log.warn({ err: error }, "no connection to Redis");
      reported = error.message;
    });
    redis.on("ready", () => {
      reported = "";
    });
    const reconnectWait = new ReconnectWait(redis, options.connectTimeoutMs);
    try {
      await redis.connect();
    } catch (error) {
      redis.disconnect();
      throw error;
    }
    isOpening = false;
    return new SingleServer(redis, reconnectWait, new Reconnect(redis), options);
  }

  send({ command, isChange = false }: Routed): Promise<Reply> {
    return replicated(this.#redis, command, isChange ? this.#waitReplicas : 0);
  }

  sendAll(all: readonly Routed[]): Promise<readonly (Reply | Error)[]> {
    return pipelined(
      this.#redis,
      all.map(({ command }) => command),
    );
  }

  async sendToEach(command: Command): Promise<readonly Reply[]> {
    return [await this.send({ command, key: undefined })];
  }

  onMoved(): void {
    // All keys are on one server.
  }

  onReconnected(listener: (holds: () => boolean) => void): void {
    this.#redis.on("ready", () => listener(() => true));
  }

  /** Resolves when the connection is closed. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#reconnect[Symbol.dispose]();
    const isOpen = this.#redis.status === "ready" || this.#redis.status === "connect";
    const closed = Promise.withResolvers<void>();
    if (isOpen) this.#redis.once("end", closed.resolve);
    else closed.resolve();
    this.#redis.disconnect();
    // disconnect() waits for the other side, which may never close.
    this.#redis.stream?.destroy();
    await closed.promise;
  }
}

function mayHaveMoved({ sentinel, addresses: [{ host }] }: ConnectionOptions): boolean {
  return sentinel !== undefined || isIP(host) === 0;
}

function standalone({ addresses: [{ host, port }], tls }: ConnectionOptions) {
  // An IP address is not a valid TLS server name.
  return {
    host,
    port,
    ...(tls === undefined ? {} : { tls: isIP(host) === 0 ? { ...tls, servername: host } : tls }),
  } satisfies RedisOptions;
}

function behindSentinels(
  { addresses, tls, socketTimeoutMs }: ConnectionOptions,
  { name, username, password }: NonNullable<ConnectionOptions["sentinel"]>,
  isOpening: () => boolean,
) {
  return {
    sentinels: [...addresses],
    name,
    role: "master" as const,
    ...(username === undefined ? {} : { sentinelUsername: username }),
    ...(password === undefined ? {} : { sentinelPassword: password }),
    ...(tls === undefined ? {} : { enableTLSForSentinelMode: true, sentinelTLS: tls }),
    sentinelCommandTimeout: socketTimeoutMs,
    // Sentinels report a failover, so that no command waits for a primary that failed without closing its connections.
    failoverDetector: true,
    // While opening, fail at once when no Sentinel answers; later ask them until one does.
    sentinelRetryStrategy: (times: number) => (isOpening() ? null : backOffMs(times)),
  } satisfies RedisOptions;
}
