import { randomBytes } from "node:crypto";
import { openRedisBackend, type RedisBackendOptions } from "../../../src/adapters/redis/backend.ts";
import { RedisClient } from "../../../src/adapters/redis/client.ts";
import { connectionOf, type RedisSettings } from "../../../src/adapters/redis/connection.ts";
import type { Backend } from "../../../src/ports/backend.ts";
import type { EmbedderIdentity } from "../../../src/ports/embedder.ts";
import { quiet } from "../quiet.ts";

/** The stores of a Redis, under keys and indexes that nobody else has. */
export interface TestRedis extends AsyncDisposable {
  /** Open; after `reopen` another object. */
  readonly backend: Backend;
  /** What all its keys and indexes begin with. */
  readonly name: string;
  readonly url: string;
  /** Closes the stores and opens them on the same data, as a restart of the program does, with these other settings. */
  reopen(changed?: Partial<RedisBackendOptions>): Promise<void>;
}

/** Opens the backend on a running Redis; disposing it removes everything that it has written. */
export async function openTestRedis(
  url: string,
  options: Partial<RedisBackendOptions> & { readonly embedder: EmbedderIdentity },
): Promise<TestRedis> {
  const name = `test-${randomBytes(8).toString("hex")}`;
  const open = (changed: Partial<RedisBackendOptions> = {}) =>
    openRedisBackend({
      connection: settingsOf(url),
      prefix: `${name}:`,
      indexes: { memories: `${name}:memories`, cache: `${name}:cache` },
      vectors: { algorithm: "HNSW", hnsw: { m: 16, efConstruction: 200, efRuntime: 10 } },
      log: { ...quiet.log, info: () => undefined },
      meter: {
        storeRisks: () => undefined,
        recordPacked: () => undefined,
        observeStoreMemory: () => () => undefined,
      },
      ...options,
      ...changed,
    });
  let backend = await open();
  return {
    name,
    url,
    get backend() {
      return backend;
    },
    reopen: async (changed) => {
      await backend[Symbol.asyncDispose]();
      backend = await open(changed);
    },
    [Symbol.asyncDispose]: async () => {
      await backend[Symbol.asyncDispose]();
      await removeAll(url, name);
    },
  };
}

/** The settings of a server without password. */
export function settingsOf(url: string): RedisSettings {
  const { hostname, port } = new URL(url);
  return {
    host: hostname,
    port: Number(port),
    username: undefined,
    password: undefined,
    tls: { enabled: false, caFile: undefined, certFile: undefined, keyFile: undefined },
    // Servers of tests share a machine with much else.
    socketTimeoutMs: 20_000,
    connectTimeoutMs: 20_000,
  };
}

/** Removes every key and index whose name begins so. */
export async function removeAll(url: string, name: string): Promise<void> {
  await using client = await RedisClient.open(await connectionOf(settingsOf(url)), quiet.log);
  const indexes = (await client.command("FT._LIST")) as readonly Buffer[];
  for (const index of indexes.map(String).filter((one) => one.startsWith(name))) {
    await client.command("FT.DROPINDEX", index);
  }
  let cursor = "0";
  do {
    const [next, found] = (await client.command("SCAN", cursor, "MATCH", `${name}:*`, "COUNT", 1000)) as [
      Buffer,
      Buffer[],
    ];
    if (found.length > 0) await client.command("UNLINK", ...found);
    cursor = String(next);
  } while (cursor !== "0");
}
