import { randomBytes } from "node:crypto";
import { openRedisBackend, type RedisBackendOptions } from "../../../src/adapters/redis/backend.ts";
import { type Command, RedisClient } from "../../../src/adapters/redis/connection/client.ts";
import { listOf } from "../../../src/adapters/redis/connection/replies.ts";
import { connectionOf } from "../../../src/app/redis-connection.ts";
import type { RedisConnectionConfig } from "../../../src/config/config.ts";
import type { Backend } from "../../../src/ports/backend.ts";
import type { EmbedderIdentity } from "../../../src/ports/embedding/embedder.ts";
import { quiet } from "../quiet.ts";

/** The stores of a Redis, under keys and indexes of their own. */
export interface TestRedis extends AsyncDisposable {
  /** The open backend; another object after `reopen`. */
  readonly backend: Backend;
  /** The prefix of all its keys and indexes. */
  readonly name: string;
  readonly url: string;
  /** Closes the stores and opens them on the same data, as a restart of the program does, with these other settings. */
  reopen(changed?: Partial<RedisBackendOptions>): Promise<void>;
}

/** Opens the backend on a running Redis; disposing it removes everything that it has written. */
export async function openTestRedis(
  server: string | RedisConnectionConfig,
  options: Partial<RedisBackendOptions> & { readonly embedder: EmbedderIdentity },
): Promise<TestRedis> {
  const name = `test-${randomBytes(8).toString("hex")}`;
  const settings = typeof server === "string" ? settingsOf(server) : server;
  const connection = await connectionOf(settings);
  const open = (changed: Partial<RedisBackendOptions> = {}) =>
    openRedisBackend({
      connection,
      prefix: `${name}:`,
      partitions: 1,
      indexes: { memories: `${name}:memories`, cache: `${name}:cache` },
      vectors: { algorithm: "HNSW", hnsw: { m: 16, efConstruction: 200, efRuntime: 10 } },
      log: quiet.log,
      metrics: quiet.metrics,
      ...options,
      ...changed,
    });
  let backend = await open();
  return {
    name,
    url: `redis://${settings.host}:${settings.port}`,
    get backend() {
      return backend;
    },
    reopen: async (changed) => {
      await backend[Symbol.asyncDispose]();
      backend = await open(changed);
    },
    [Symbol.asyncDispose]: async () => {
      await backend[Symbol.asyncDispose]();
      // As the default user, who has all permissions.
      const { username, password } = settings;
      const whole = username === undefined ? { password } : { username: undefined, password: undefined };
      await removeAll({ ...settings, ...whole }, name);
    },
  };
}

/** The settings of a server without password. */
export function settingsOf(url: string): RedisConnectionConfig {
  const { hostname, port } = new URL(url);
  return {
    host: hostname,
    port: Number(port),
    username: undefined,
    password: undefined,
    topology: "auto",
    nodes: [],
    sentinelName: undefined,
    sentinelUsername: undefined,
    sentinelPassword: undefined,
    tls: { enabled: false, caFile: undefined, certFile: undefined, keyFile: undefined },
    // Servers of tests share a machine with much else.
    socketTimeoutMs: 20_000,
    connectTimeoutMs: 20_000,
    retryOnTimeout: true,
    waitReplicas: 0,
  };
}

/** The settings of a cluster of servers without password. */
export function clusterSettings(servers: readonly { readonly url: string }[]): RedisConnectionConfig {
  const nodes = servers.map(({ url }) => settingsOf(url)).map(({ host, port }) => ({ host, port }));
  return { ...settingsOf(servers[0]?.url ?? ""), topology: "cluster", nodes };
}

/** Removes every key and index whose name begins so. */
export async function removeAll(server: string | RedisConnectionConfig, name: string): Promise<void> {
  const settings = typeof server === "string" ? settingsOf(server) : server;
  await using client = await RedisClient.open(await connectionOf(settings), quiet.log);
  const indexes = new Set(
    (await client.commandToEach("FT._LIST")).flatMap((list) => listOf(list).map(String)),
  );
  for (const index of [...indexes].filter((one) => one.startsWith(name))) {
    await client.command("FT.DROPINDEX", index);
  }
  const found = (await client.commandToEach("KEYS", `${name}:*`)).flatMap((list) => listOf(list).map(String));
  await client.pipeline(found.map((key): Command => ["UNLINK", key]));
}
