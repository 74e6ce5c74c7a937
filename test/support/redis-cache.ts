import { randomBytes } from "node:crypto";
import { RedisCachePolicyStore } from "../../src/adapters/redis/cache/policies.ts";
import { RedisCacheStore } from "../../src/adapters/redis/cache/store.ts";
import { RedisClient } from "../../src/adapters/redis/connection/client.ts";
import { createEmbeddingCache } from "../../src/adapters/redis/embedding/cache.ts";
import { openIndexes, type VectorIndexOptions } from "../../src/adapters/redis/indexes/schema.ts";
import { VectorModel } from "../../src/adapters/redis/indexes/vector-model.ts";
import { Keys } from "../../src/adapters/redis/namespaces/keys.ts";
import { claimPartitions } from "../../src/adapters/redis/namespaces/metadata.ts";
import { Namespaces } from "../../src/adapters/redis/namespaces/namespace-ids.ts";
import { RedisNamespaceStore } from "../../src/adapters/redis/namespaces/namespace-store.ts";
import { connectionOf } from "../../src/app/redis-connection.ts";
import type { CacheStore } from "../../src/ports/cache/cache-store.ts";
import type { CachePolicyStore } from "../../src/ports/cache/policy-store.ts";
import type { EmbedderIdentity } from "../../src/ports/embedding/embedder.ts";
import type { EmbeddingCache } from "../../src/ports/embedding/embedding-cache.ts";
import { quiet } from "./quiet.ts";
import { removeAll, settingsOf } from "./redis/backend.ts";

/** A cache under a private key prefix, with the layers below it. */
export interface RedisCache extends AsyncDisposable {
  readonly cache: CacheStore;
  readonly cachePolicies: CachePolicyStore;
  readonly embeddings: EmbeddingCache;
  readonly namespaces: RedisNamespaceStore;
  readonly keys: Keys;
  readonly client: RedisClient;
  readonly model: VectorModel;
  /** Name of the index. */
  readonly indexName: string;
  /** Closes it and opens it on the same data. */
  reopen(): Promise<void>;
  /** Opens another cache on the same data, as another process does. It is closed with this one. */
  openReplica(): Promise<CacheStore>;
}

export interface RedisCacheOptions {
  readonly identity: EmbedderIdentity;
  readonly partitions?: number;
  readonly maxEmbeddings?: number;
  readonly vectors?: VectorIndexOptions;
}

export const HNSW: VectorIndexOptions = {
  algorithm: "HNSW",
  hnsw: { m: 16, efConstruction: 200, efRuntime: 10 },
};

/** Opens a cache under a prefix of its own, and deletes its keys at the end. */
export async function openRedisCache(
  url: string,
  { identity, partitions = 1, maxEmbeddings = 1000, vectors = HNSW }: RedisCacheOptions,
): Promise<RedisCache> {
  const name = `test-${randomBytes(8).toString("hex")}`;
  const names = { memories: `${name}:memories`, cache: `${name}:cache` };
  const keys = new Keys(`${name}:`, partitions);
  const open = async () => {
    const client = await connect(url);
    await claimPartitions(client, keys);
    const model = await VectorModel.claim(client, keys, identity, quiet.log);
    await openIndexes(client, keys, { names, vectors, identity, generation: model.generation });
    const namespaces = new Namespaces(client, keys);
    const cache = new RedisCacheStore(client, namespaces, {
      model,
      indexes: names,
      vectors,
      missing: () => undefined,
      ...quiet,
    });
    const embeddings = createEmbeddingCache(client, keys, { maxEntries: maxEmbeddings });
    return {
      client,
      model,
      cache,
      cachePolicies: new RedisCachePolicyStore(namespaces),
      embeddings,
      namespaces: new RedisNamespaceStore(client, namespaces, () => undefined),
      close: async () => {
        await cache[Symbol.asyncDispose]();
        await client[Symbol.asyncDispose]();
      },
    };
  };
  let opened = await open();
  const replicas: (typeof opened)[] = [];
  return {
    keys,
    indexName: names.cache,
    get model() {
      return opened.model;
    },
    get client() {
      return opened.client;
    },
    get cache() {
      return opened.cache;
    },
    get cachePolicies() {
      return opened.cachePolicies;
    },
    get embeddings() {
      return opened.embeddings;
    },
    get namespaces() {
      return opened.namespaces;
    },
    openReplica: async () => {
      const replica = await open();
      replicas.push(replica);
      return replica.cache;
    },
    reopen: async () => {
      await opened.close();
      opened = await open();
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all([opened, ...replicas].map((one) => one.close()));
      await removeAll(url, name);
    },
  };
}

export async function connect(url: string): Promise<RedisClient> {
  return RedisClient.open(await connectionOf(settingsOf(url)), quiet.log);
}
