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
  /** `auto` asks the first reachable server, and means Sentinel when `sentinel` is set. */
  readonly topology: "auto" | Servers["topology"];
  /** Standalone: the server. Cluster: some of its servers. Sentinel: the Sentinels. */
  readonly addresses: readonly [ServerAddress, ...ServerAddress[]];
  readonly username: string | undefined;
  readonly password: string | undefined;
  /** The name of the primary, and the credentials for the Sentinels. Undefined: no Sentinels. */
  readonly sentinel?: {
    readonly name: string;
    readonly username: string | undefined;
    readonly password: string | undefined;
  };
  /** Absent: without TLS. */
  readonly tls?: TlsOptions;
  /** A connection with pending commands that receives nothing for so long counts as broken. */
  readonly socketTimeoutMs: number;
  readonly connectTimeoutMs: number;
  /** See retryable.ts. */
  readonly retryOnTimeout: boolean;
  /** Replicas that must have a write before it is acknowledged: see replication.ts. */
  readonly waitReplicas: number;
}

/**
 * Longest and first backoff of a reconnect; half of it is random, so that not all clients reconnect at once.
 */
const MAX_BACK_OFF_MS = 2000;
const FIRST_BACK_OFF_MS = 50;

/** A broken connection is detected before its commands time out, so a command timeout means that Redis is slow. */
const SILENCE_SHARE = 0.9;

/** TCP keep-alive interval, so that firewalls and load balancers do not drop idle connections. */
const KEEP_ALIVE_MS = 30_000;

export function backOffMs(times: number): number {
  const most = Math.min(FIRST_BACK_OFF_MS * 2 ** (times - 1), MAX_BACK_OFF_MS);
  return most / 2 + (Math.random() * most) / 2;
}

/** Options of every connection; see docs/operations/redis.md for their reasons. */
export function commonOptions(options: ConnectionOptions) {
  const { username, password, tls, socketTimeoutMs, connectTimeoutMs } = options;
  return {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(tls === undefined ? {} : { tls }),
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
