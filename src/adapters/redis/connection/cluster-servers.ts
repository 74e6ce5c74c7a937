import { setTimeout } from "node:timers/promises";
import { Cluster, Command as LibraryCommand, type Redis } from "ioredis";
import type { Log } from "../../../ports/log.ts";
import { backOffMs, type ConnectionOptions, commonOptions } from "./connection-options.ts";
import { refused } from "./errors.ts";
import { pipelined } from "./pipeline.ts";
import { replicated } from "./replication.ts";
import type { Command, Reply, Routed, Servers } from "./servers.ts";

/** How often the slot map is refreshed without an error. */
const REFRESH_MS = 5000;

/** Shortest time between two refreshes of the slot map. */
const REFRESH_PAUSE_MS = 100;

/** Right after a move, the slot map may come from a server that does not know of it yet. */
const MAX_REDIRECTIONS = 10;

/**
 * The primaries of an open-source cluster. The library manages the slot map and the connections; commands are routed
 * here, because the library does not know the keys of FT.* and of keyless commands about one server, and because it would
 * retry writes that may have been executed.
 *
 * A slot that is being moved (ASK, TRYAGAIN) is not served by either side: its documents are in no index meanwhile.
 * Callers get STORE_UNAVAILABLE with a retry delay.
 */
export class ClusterServers implements Servers {
  readonly topology = "cluster";
  readonly reconnectWait = undefined;
  readonly #cluster: Cluster;
  readonly #servers: ReadonlyMap<string, Redis>;
  readonly #waitReplicas: number;
  /** By hash tag; there are as many as partitions. */
  readonly #slots = new Map<string, number>();
  readonly #onMoved: (() => void)[] = [];
  readonly #onReconnected: ((holds: (key: string) => boolean) => void)[] = [];
  #refreshing: Promise<void> | undefined;

  private constructor(cluster: Cluster, servers: ReadonlyMap<string, Redis>, waitReplicas: number) {
    this.#waitReplicas = waitReplicas;
    this.#cluster = cluster;
    this.#servers = servers;
    cluster.on("-node", () => void this.#refresh());
    const watch = (redis: Redis): void => {
      redis.on("ready", () => this.#reconnected(redis));
    };
    for (const redis of servers.values()) watch(redis);
    cluster.on("+node", watch);
  }

  static async open(options: ConnectionOptions, log: Log): Promise<ClusterServers> {
    const cluster = new Cluster([...options.addresses], {
      redisOptions: commonOptions(options),
      lazyConnect: true,
      enableOfflineQueue: false,
      // A cluster that is down replies with an error to each command.
      enableReadyCheck: false,
      clusterRetryStrategy: backOffMs,
      slotsRefreshInterval: REFRESH_MS,
      slotsRefreshTimeout: options.connectTimeoutMs,
    });
    const servers = new Map<string, Redis>();
    cluster.on("+node", (redis: Redis) => servers.set(addressOf(redis), redis));
    cluster.on("-node", (redis: Redis) => {
      if (servers.get(addressOf(redis)) === redis) servers.delete(addressOf(redis));
    });
    let last: Error | undefined;
    cluster.on("error", () => undefined);
    cluster.on("node error", (error: Error, server: string) => {
      if (last?.message !== error.message)
        log.warn({ err: error, server }, "no connection to a server of Redis");
      last = error;
    });
    cluster.on("ready", () => {
      last = undefined;
    });
    try {
      await cluster.connect();
    } catch (error) {
      cluster.disconnect();
      if (last?.message.includes("cluster support disabled")) {
        throw refused("this Redis is no cluster, and this server is set to REDIS_TOPOLOGY=cluster");
      }
      throw last ?? error;
    }
    return new ClusterServers(cluster, servers, options.waitReplicas);
  }

  async send({ command, key, isChange = false }: Routed): Promise<Reply> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await replicated(this.#serverOf(key), command, isChange ? this.#waitReplicas : 0);
      } catch (error) {
        if (!(await this.#isElsewhere(error)) || attempt === MAX_REDIRECTIONS) throw error;
      }
    }
  }

  async sendAll(all: readonly Routed[]): Promise<readonly (Reply | Error)[]> {
    const results: (Reply | Error)[] = all.map(() => null);
    let left = all.map((routed, at) => ({ ...routed, at }));
    for (let attempt = 1; left.length > 0; attempt += 1) {
      const byServer = Map.groupBy(left, ({ key }) => this.#serverOf(key));
      await Promise.all(
        [...byServer].map(async ([server, routed]) => {
          const replies = await pipelined(
            server,
            routed.map(({ command }) => command),
          );
          for (const [nth, { at }] of routed.entries()) results[at] = replies[nth] ?? null;
        }),
      );
      const failed = left.filter(({ at }) => results[at] instanceof Error);
      left = [];
      // They share a cause: one refresh of the slot map is enough.
      const [first] = failed.filter(({ at }) => isMoved(results[at])).concat(failed);
      if (first !== undefined && (await this.#isElsewhere(results[first.at])) && attempt < MAX_REDIRECTIONS) {
        left = failed.filter(({ at }) => isMoved(results[at]));
      }
    }
    return results;
  }

  async sendToEach([name, ...args]: Command): Promise<readonly Reply[]> {
    const primaries = this.#cluster.nodes("master");
    if (primaries.length === 0) throw noConnection();
    return Promise.all(primaries.map(async (server) => (await server.callBuffer(name, ...args)) as Reply));
  }

  onMoved(listener: () => void): void {
    this.#onMoved.push(listener);
  }

  onReconnected(listener: (holds: (key: string) => boolean) => void): void {
    this.#onReconnected.push(listener);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#cluster.disconnect();
  }

  #reconnected(redis: Redis): void {
    const address = addressOf(redis);
    const holds = (key: string): boolean => this.#cluster.slots[this.#slotOf(key)]?.[0] === address;
    for (const listener of this.#onReconnected) listener(holds);
  }

  /** Throws when there is no connection. */
  #serverOf(key: string | undefined): Redis {
    const address = key === undefined ? undefined : this.#cluster.slots[this.#slotOf(key)]?.[0];
    const server = key === undefined ? this.#cluster.nodes("master")[0] : this.#servers.get(address ?? "");
    if (server !== undefined) return server;
    void this.#refresh();
    throw noConnection();
  }

  #slotOf(key: string): number {
    const tag = /\{([^}]+)\}/.exec(key)?.[1] ?? key;
    const cached = this.#slots.get(tag);
    if (cached !== undefined) return cached;
    const slot = new LibraryCommand("GET", [tag]).getSlot();
    if (slot === null) throw new TypeError("a key has no slot");
    // Keys without a hash tag come from operators and tests, once each.
    if (tag !== key) this.#slots.set(tag, slot);
    return slot;
  }

  /** Whether a command was refused because its slot is on another server; refreshes the slot map then. */
  async #isElsewhere(error: unknown): Promise<boolean> {
    if (isMoved(error)) {
      await this.#refresh();
      for (const listener of this.#onMoved) listener();
      return true;
    }
    // After a broken connection the slots may soon have another primary.
    if (error instanceof Error && error.name !== "ReplyError") void this.#refresh();
    return false;
  }

  /** Refreshes the slot map; commands fail if that was unsuccessful. */
  #refresh(): Promise<void> {
    this.#refreshing ??= this.#readMap().finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  async #readMap(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#cluster.refreshSlotsCache((error) => {
        // No cached server answers: the configured addresses may lead to others.
        if (error != null && this.#cluster.status === "ready") this.#cluster.disconnect(true);
        resolve();
      });
    });
    await setTimeout(REFRESH_PAUSE_MS, undefined, { ref: false });
  }
}

function addressOf({ options }: Redis): string {
  return `${options.host}:${options.port}`;
}

function isMoved(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith("MOVED ");
}

function noConnection(): Error {
  return new Error("there is no connection to the Redis server of this key");
}
