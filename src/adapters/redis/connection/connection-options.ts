import type { RedisOptions } from "ioredis";
import type { Servers } from "./servers.ts";

export interface ServerAddress {
  readonly host: string;
  readonly port: number;
}

export interface TlsOptions {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

export interface ConnectionOptions {
  /** `auto` asks the first server that answers, and takes Sentinels for given when there is a `sentinel`. */
  readonly topology: "auto" | Servers["topology"];
  /** Of standalone the server, of a cluster some of its servers, of Sentinel the Sentinels. */
  readonly addresses: readonly [ServerAddress, ...ServerAddress[]];
  readonly username: string | undefined;
  readonly password: string | undefined;
  /** What Sentinels call the primary, and how they know who asks. Undefined: there are none. */
  readonly sentinel?: {
    readonly name: string;
    readonly username: string | undefined;
    readonly password: string | undefined;
  };
  /** Absent: without TLS. */
  readonly tls?: TlsOptions;
  /** A connection on which nothing comes for so long is taken for broken, while commands wait for an answer. */
  readonly socketTimeoutMs: number;
  readonly connectTimeoutMs: number;
  /** See retryable.ts. */
  readonly retryOnTimeout: boolean;
  /** Replicas that have to hold a change before it is acknowledged: see replication.ts. */
  readonly waitReplicas: number;
}

/**
 * Reconnecting waits for so long at most, and at first for so long; half of it by chance, so that not all come at once.
 */
const MAX_BACK_OFF_MS = 2000;
const FIRST_BACK_OFF_MS = 50;

/** A connection goes before the commands on it time out: these then say that Redis lives and is slow. */
const SILENCE_SHARE = 0.9;

/** Longer than most idle connections are left alone by what stands between. */
const KEEP_ALIVE_MS = 30_000;

export function backOffMs(times: number): number {
  const most = Math.min(FIRST_BACK_OFF_MS * 2 ** (times - 1), MAX_BACK_OFF_MS);
  return most / 2 + (Math.random() * most) / 2;
}

/** What every connection has in common; decided on purpose, one by one: see docs/operations/redis.md. */
export function commonOptions(options: ConnectionOptions) {
  const { username, password, tls, socketTimeoutMs, connectTimeoutMs } = options;
  return {
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
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
  } as const satisfies RedisOptions;
}
