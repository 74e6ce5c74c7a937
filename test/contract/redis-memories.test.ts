import { randomBytes } from "node:crypto";
import { describe } from "vitest";
import { RedisClient } from "../../src/adapters/redis/client.ts";
import { Keys } from "../../src/adapters/redis/keys.ts";
import { RedisMemoryStore } from "../../src/adapters/redis/memory-store.ts";
import { claimPartitions } from "../../src/adapters/redis/meta.ts";
import { RedisNamespaceStore } from "../../src/adapters/redis/namespace-store.ts";
import { Namespaces } from "../../src/adapters/redis/namespaces.ts";
import { openIndexes } from "../../src/adapters/redis/schema.ts";
import { Sweeper } from "../../src/adapters/redis/sweeper.ts";
import { VectorModel } from "../../src/adapters/redis/vector-model.ts";
import type { MemoryStore } from "../../src/ports/memory-store.ts";
import type { NamespaceStore } from "../../src/ports/namespace-store.ts";
import { quiet } from "../support/quiet.ts";
import { memoryStoreContract } from "./memory-store.ts";
import { type StoreUnderTest, VECTOR_DIMENSION } from "./store-under-test.ts";

const url = process.env["TEST_REDIS_URL"];

describe.skipIf(url === undefined)("on Redis", () => {
  memoryStoreContract("redis", () => openOnRedis((backend) => backend.memories));
});

interface Opened extends AsyncDisposable {
  readonly memories: MemoryStore;
  readonly namespaces: NamespaceStore;
}

async function openOnRedis<Store>(storeOf: (backend: Opened) => Store): Promise<StoreUnderTest<Store>> {
  const prefix = `test-${randomBytes(6).toString("hex")}:`;
  let backend = await open(prefix);
  return {
    get store() {
      return storeOf(backend);
    },
    reopen: async () => {
      await backend[Symbol.asyncDispose]();
      backend = await open(prefix);
    },
    [Symbol.asyncDispose]: async () => {
      await backend[Symbol.asyncDispose]();
      await removeAll(prefix);
    },
  };
}

async function open(prefix: string): Promise<Opened> {
  const client = await connect();
  const keys = new Keys(prefix, 1);
  await claimPartitions(client, keys);
  const identity = { provider: "contract", model: "random", dimension: VECTOR_DIMENSION };
  const model = await VectorModel.claim(client, keys, identity);
  const indexes = { memories: `${prefix}memory`, cache: `${prefix}cache` };
  const vectors = {
    algorithm: "HNSW",
    hnsw: { m: 16, efConstruction: 200, efRuntime: 64 },
  } as const;
  const { generation } = model;
  await openIndexes(client, keys, { names: indexes, vectors, identity, generation });
  const namespaces = new Namespaces(client, keys);
  const sweeper = new Sweeper(client, keys, quiet.log);
  const memories = new RedisMemoryStore(namespaces, {
    model,
    indexes,
    vectors,
    sweeper,
    onWaiting: () => undefined,
    log: quiet.log,
  });
  return {
    memories,
    namespaces: new RedisNamespaceStore(client, namespaces, () => sweeper.afterDeletion()),
    [Symbol.asyncDispose]: async () => {
      await memories[Symbol.asyncDispose]();
      await sweeper[Symbol.asyncDispose]();
      await client[Symbol.asyncDispose]();
    },
  };
}

function connect(): Promise<RedisClient> {
  const { hostname, port } = new URL(url ?? "");
  return RedisClient.open(
    {
      host: hostname,
      port: Number(port),
      username: undefined,
      password: undefined,
      socketTimeoutMs: 5000,
      connectTimeoutMs: 5000,
    },
    quiet.log,
  );
}

async function removeAll(prefix: string): Promise<void> {
  await using client = await connect();
  for (const index of ["memory", "cache"]) await client.command("FT.DROPINDEX", `${prefix}${index}:1`);
  const keys = await client.command("KEYS", `${prefix}*`);
  if (Array.isArray(keys) && keys.length > 0) await client.command("DEL", ...(keys as Buffer[]));
}
