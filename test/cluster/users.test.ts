import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { setUp } from "../../src/adapters/redis/indexes/setup.ts";
import { connectionOf } from "../../src/app/redis-connection.ts";
import type { RedisConnectionConfig } from "../../src/config/config.ts";
import type { Backend } from "../../src/ports/backend.ts";
import type { EmbedderIdentity } from "../../src/ports/embedding/embedder.ts";
import { cacheStoreContract } from "../contract/cache/cache-store.ts";
import { compactionStoreContract } from "../contract/compaction/compaction-store.ts";
import { embeddingCacheContract } from "../contract/embedding/cache.ts";
import { embeddingQueueContract } from "../contract/embedding/queue.ts";
import { reembeddingStoreContract } from "../contract/embedding/reembedding-store.ts";
import { indexStoreContract } from "../contract/index-store.ts";
import { memoriesContract } from "../contract/memory/memories.ts";
import { namespaceStoreContract } from "../contract/namespace-store.ts";
import { reasonOf, type StoreUnderTest, VECTOR_DIMENSION, vectorOf } from "../contract/store-under-test.ts";
import { NOW, newMemory } from "../support/builders.ts";
import { openTestRedis, settingsOf } from "../support/redis/backend.ts";
import { createCertificates } from "../support/redis/certificates.ts";
import { connectTo } from "../support/redis/client.ts";
import { documentedAcl, USERS } from "../support/redis/documented-acl.ts";
import { describeRedisPrograms } from "../support/redis/run.ts";
import { type RedisServer, startRedis } from "../support/redis/server.ts";
import { scale } from "../support/scale.ts";

const MAX_EMBEDDINGS = 20;
const EMBEDDER: EmbedderIdentity = { provider: "contract", model: "random", dimension: VECTOR_DIMENSION };
const scope = { tenant: "t", namespace: "n" };

await describeRedisPrograms("Redis with restricted users", () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await startRedis({ acl: documentedAcl("test-"), config: { appendonly: "no" } });
  });
  afterAll(() => server[Symbol.asyncDispose]());
  const as = (user: { readonly username: string; readonly password: string }): RedisConnectionConfig => ({
    ...settingsOf(server.url),
    ...user,
  });

  it("a server whose user may not create indexes starts only after another user has created them", async () => {
    const names = { memories: "test-a:idx", cache: "test-a:idx:cache" };
    const options = { prefix: "test-a:", indexes: names, embedder: EMBEDDER };
    const opened = openTestRedis(as(USERS.server), options);
    await expect(opened).rejects.toThrow(/test-a:idx.*`recollect redis setup`/);
    expect(await reasonOf(opened)).toBe("STORE_UNAVAILABLE");

    const made = await setUp({
      ...options,
      connection: await connectionOf(as(USERS.setUp)),
      partitions: 1,
      vectors: { algorithm: "HNSW", hnsw: { m: 16, efConstruction: 200, efRuntime: 10 } },
      log: { warn: () => undefined },
    });
    expect(made).toEqual([
      { name: "test-a:idx", documents: 0 },
      { name: "test-a:idx:cache", documents: 0 },
    ]);
    await using redis = await openTestRedis(as(USERS.server), options);
    const { memories } = redis.backend;
    await memories.writer.create(scope, [newMemory({ id: "m1" }, { vector: vectorOf(1) })], { now: NOW });
    const query = { vector: vectorOf(1), filter: { states: ["ACTIVE" as const] }, limit: 1 };
    expect((await memories.search.search(scope, query, NOW)).byVector.map(({ id }) => id)).toEqual(["m1"]);
    expect(await reasonOf(drain(redis.backend.indexes.rebuild(new AbortController().signal)))).toBe(
      "STORE_UNAVAILABLE",
    );
    using other = connectTo(server.url, USERS.server);
    await expect(other.get("another:key")).rejects.toThrow(/NOPERM/);
  });

  it("after a flush, that server serves again without a restart once another user has recreated the indexes", async () => {
    const name = "test-b:idx";
    const names = { memories: name, cache: `${name}:cache` };
    const options = { prefix: "test-b:", indexes: names, embedder: EMBEDDER };
    const setUpBy = {
      ...options,
      connection: await connectionOf(as(USERS.setUp)),
      partitions: 1,
      vectors: { algorithm: "HNSW", hnsw: { m: 16, efConstruction: 200, efRuntime: 10 } },
      log: { warn: () => undefined },
    } as const;
    await setUp(setUpBy);
    await using redis = await openTestRedis(as(USERS.server), options);
    const { memories } = redis.backend;
    const write = (id: string) =>
      reasonOf(memories.writer.create(scope, [newMemory({ id }, { vector: vectorOf(1) })], { now: NOW }));
    expect(await write("m1")).toBeUndefined();
    using admin = connectTo(server.url);
    await admin.flushall();
    expect(await write("m2")).toBe("STORE_UNAVAILABLE");
    await expect(redis.backend.check()).rejects.toThrow(/test-b:idx.*`recollect redis setup`/);
    await setUp(setUpBy);
    await redis.backend.check();
    expect(await write("m3")).toBeUndefined();
  });

  // With both lists of rights, as documented for a deployment without a separate setup user.
  describe("with the combined rights of both users", () => {
    beforeAll(async () => {
      using admin = connectTo(server.url);
      const rules = documentedAcl("test-").flatMap((line) =>
        line.split(" ").filter((rule) => rule.startsWith("+")),
      );
      const own = rules.filter((rule) => rule !== "+@all");
      await admin.call("ACL", "SETUSER", "both", "on", ">both", "resetkeys", "~test-*", "-@all", ...own);
    });
    const open = async <Store>(storeOf: (backend: Backend) => Store): Promise<StoreUnderTest<Store>> => {
      const opened = await openTestRedis(as({ username: "both", password: "both" }), {
        embedder: EMBEDDER,
        maxEmbeddings: MAX_EMBEDDINGS,
      });
      return {
        get store() {
          return storeOf(opened.backend);
        },
        reopen: () => opened.reopen(),
        [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
      };
    };
    namespaceStoreContract("rights", () => open((backend) => backend));
    embeddingCacheContract("rights", MAX_EMBEDDINGS, () => open((backend) => backend.embeddings));
    compactionStoreContract("rights", () => open((backend) => backend));
    embeddingQueueContract("rights", () => open((backend) => backend));
    reembeddingStoreContract("rights", EMBEDDER, () => open((backend) => backend));
    indexStoreContract("rights", () => open((backend) => backend));
    if (scale(0, 1) === 1) {
      memoriesContract("rights", () => open((backend) => backend.memories));
      cacheStoreContract("rights", () => open((backend) => backend.cache));
    }
  });
});

await describeRedisPrograms("Redis with TLS and client certificates", () => {
  it("is reachable with a certificate of its authority, and not without one", async () => {
    await using certificates = await createCertificates();
    await using server = await startRedis({ tls: certificates });
    const { certFile, keyFile } = certificates.client;
    const tls = { enabled: true, caFile: certificates.caFile, certFile, keyFile };
    const settings = settingsOf(server.url);
    await using redis = await openTestRedis({ ...settings, tls }, { embedder: EMBEDDER });
    const { memories } = redis.backend;
    await memories.writer.create(scope, [newMemory({ id: "m1" })], { now: NOW });
    expect(await memories.reader.exist(scope, ["m1"], NOW)).toEqual([true]);

    const without = { ...tls, certFile: undefined, keyFile: undefined };
    expect(await reasonOf(openTestRedis({ ...settings, tls: without }, { embedder: EMBEDDER }))).toBe(
      "STORE_UNAVAILABLE",
    );
    const unknown = { ...tls, caFile: undefined };
    expect(await reasonOf(openTestRedis({ ...settings, tls: unknown }, { embedder: EMBEDDER }))).toBe(
      "STORE_UNAVAILABLE",
    );
  });
});

async function drain(all: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of all);
}
