import { randomBytes } from "node:crypto";
import { RedisCacheStore } from "../../src/adapters/redis/cache/store.ts";
import type { RedisClient } from "../../src/adapters/redis/connection/client.ts";
import { openIndexes } from "../../src/adapters/redis/indexes/schema.ts";
import { VectorModel } from "../../src/adapters/redis/indexes/vector-model.ts";
import { openMemories } from "../../src/adapters/redis/memory/memories.ts";
import { Sweeper } from "../../src/adapters/redis/memory/sweeper.ts";
import { Keys } from "../../src/adapters/redis/namespaces/keys.ts";
import { claimPartitions } from "../../src/adapters/redis/namespaces/metadata.ts";
import { Namespaces } from "../../src/adapters/redis/namespaces/namespace-ids.ts";
import { RedisNamespaceStore } from "../../src/adapters/redis/namespaces/namespace-store.ts";
import { sleep } from "../../src/adapters/system/sleep.ts";
import { FEED_LIMITS } from "../../src/domain/memory/changes.ts";
import { DEFAULT_MAX_REVISIONS } from "../../src/domain/memory/revision.ts";
import type { CacheStore } from "../../src/ports/cache/cache-store.ts";
import type { EmbedderIdentity } from "../../src/ports/embedding/embedder.ts";
import type { Log } from "../../src/ports/log.ts";
import type { Memories } from "../../src/ports/memory/memories.ts";
import type { NamespaceStore } from "../../src/ports/namespace-store.ts";
import { quiet } from "./quiet.ts";
import { removeAll } from "./redis/backend.ts";
import { connect, HNSW } from "./redis-cache.ts";

/** The stores of one process on a Redis. */
export interface RedisStores extends AsyncDisposable {
  readonly client: RedisClient;
  readonly model: VectorModel;
  readonly memories: Memories;
  readonly cache: CacheStore;
  readonly namespaces: NamespaceStore;
  readonly sweeper: Sweeper;
  /** Number of writes that added a pending memory. */
  readonly announced: () => number;
}

/** Keys of a Redis that nobody else uses. Disposing of it removes them. */
export interface RedisSandbox extends AsyncDisposable {
  readonly keys: Keys;
  /** Opens the stores of another process on the keys; the caller closes them. */
  open(options?: { readonly log?: Log }): Promise<RedisStores>;
}

export function redisSandbox(
  url: string,
  identity: EmbedderIdentity,
  { partitions = 1 }: { readonly partitions?: number } = {},
): RedisSandbox {
  const name = `test-${randomBytes(8).toString("hex")}`;
  const names = { memories: `${name}:memories`, cache: `${name}:cache` };
  const keys = new Keys(`${name}:`, partitions);
  return {
    keys,
    open: async ({ log = quiet.log } = {}) => {
      const client = await connect(url);
      await claimPartitions(client, keys);
      const model = await VectorModel.claim(client, keys, identity, quiet.log);
      await openIndexes(client, keys, { names, vectors: HNSW, identity, generation: model.generation });
      const namespaces = new Namespaces(client, keys);
      const sweeper = new Sweeper(client, keys, FEED_LIMITS, log);
      let announced = 0;
      const memories = openMemories(client, namespaces, {
        model,
        indexes: names,
        vectors: HNSW,
        sweeper,
        maxRevisions: DEFAULT_MAX_REVISIONS,
        missing: () => undefined,
        onPending: () => {
          announced += 1;
        },
        feedLimits: FEED_LIMITS,
        sleep,
        log,
      });
      await memories.openHistory();
      const cache = new RedisCacheStore(client, namespaces, {
        model,
        indexes: names,
        vectors: HNSW,
        missing: () => undefined,
        ...quiet,
      });
      return {
        client,
        model,
        memories,
        cache,
        namespaces: new RedisNamespaceStore(client, namespaces, () => sweeper.afterDeletion()),
        indexes: names,
        vectors: HNSW,
        sweeper,
        announced: () => announced,
        [Symbol.asyncDispose]: async () => {
          await cache[Symbol.asyncDispose]();
          await memories[Symbol.asyncDispose]();
          await sweeper[Symbol.asyncDispose]();
          await client[Symbol.asyncDispose]();
        },
      };
    },
    [Symbol.asyncDispose]: async () => {
      await removeAll(url, name);
    },
  };
}
