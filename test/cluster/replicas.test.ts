import { randomUUID } from "node:crypto";
import { expect, it } from "vitest";
import type { EmbedderIdentity } from "../../src/ports/embedding/embedder.ts";
import { reasonOf, VECTOR_DIMENSION } from "../contract/store-under-test.ts";
import { NOW, newMemory } from "../support/builders.ts";
import { openTestRedis, settingsOf } from "../support/redis/backend.ts";
import { connectTo } from "../support/redis/client.ts";
import { describeRedisPrograms } from "../support/redis/run.ts";
import { type RedisServer, startRedis } from "../support/redis/server.ts";
import { eventually } from "../support/redis/wait.ts";

const EMBEDDER: EmbedderIdentity = { provider: "test", model: "random", dimension: VECTOR_DIMENSION };

await describeRedisPrograms("a write with REDIS_WAIT_REPLICAS", () => {
  const waiting = ({ url }: RedisServer) => ({ ...settingsOf(url), waitReplicas: 1 });

  it("is acknowledged once a replica has it, and not before", async () => {
    await using primary = await startRedis();
    await using replica = await startRedis({ config: { replicaof: `${primary.host} ${primary.port}` } });
    using client = connectTo(primary.url);
    const isOnline = async () => (await client.info("replication")).includes("state=online");
    await eventually("a replica online", isOnline);
    // The writes of the start need the replica too.
    await using redis = await openTestRedis(waiting(primary), { embedder: EMBEDDER });
    const { memories } = redis.backend;
    const scope = { tenant: "t", namespace: randomUUID() };
    const request = { key: "r", bodyHash: "b", expireTime: NOW + 60_000 };
    const create = (id: string) => reasonOf(memories.writer.create(scope, [newMemory({ id })], { now: NOW }));
    expect(await create("m1")).toBeUndefined();

    replica.pause();
    expect(await create("m2")).toBe("STORE_UNAVAILABLE");
    // The write is applied nevertheless, and reads do not wait for replicas.
    expect(await memories.reader.exist(scope, ["m1", "m2"], NOW)).toEqual([true, true]);
    // A replay waits for the replica too, also on another connection.
    const again = () =>
      reasonOf(memories.writer.create(scope, [newMemory({ id: "m3" })], { now: NOW, request }));
    expect(await again()).toBe("STORE_UNAVAILABLE");
    await client.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
    await eventually(
      "a connection",
      async () => (await reasonOf(memories.reader.exist(scope, ["m1"], NOW))) === undefined,
    );
    expect(await again()).toBe("STORE_UNAVAILABLE");

    replica.resume();
    await eventually("an acknowledgement", async () => (await again()) === undefined);
    expect(await memories.reader.exist(scope, ["m1", "m2", "m3"], NOW)).toEqual([true, true, true]);
  });
});
