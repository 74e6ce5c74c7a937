import { randomUUID } from "node:crypto";
import { expect, it } from "vitest";
import type { NamespaceKey } from "../../src/domain/access/tenancy.ts";
import type { EmbedderIdentity } from "../../src/ports/embedding/embedder.ts";
import type { Memories } from "../../src/ports/memory/memories.ts";
import { reasonOf, VECTOR_DIMENSION } from "../contract/store-under-test.ts";
import { NOW, newMemory } from "../support/builders.ts";
import { openTestRedis, settingsOf } from "../support/redis/backend.ts";
import { createCertificates } from "../support/redis/certificates.ts";
import { connectTo } from "../support/redis/client.ts";
import { startFakeSentinel } from "../support/redis/fake-sentinel.ts";
import { startFeedFollower } from "../support/redis/feed-follower.ts";
import { missingOf, startMemoryLoad } from "../support/redis/memory-load.ts";
import { describeRedisPrograms } from "../support/redis/run.ts";
import { type RedisSentinel, startSentinel } from "../support/redis/sentinel.ts";
import { type RedisServer, startRedis } from "../support/redis/server.ts";
import { eventually } from "../support/redis/wait.ts";
import { scale } from "../support/scale.ts";

const EMBEDDER: EmbedderIdentity = { provider: "test", model: "random", dimension: VECTOR_DIMENSION };
const FAILOVERS = scale(1, 10);
const SOME = 100;

await describeRedisPrograms("a Sentinel failover", () => {
  const settings = ({ name, sentinels }: RedisSentinel) => ({
    ...settingsOf("redis://127.0.0.1:1"),
    nodes: sentinels.map(({ host, port }) => ({ host, port })),
    sentinelName: name,
  });

  it("loses no acknowledged write under load, and needs no restart", async () => {
    await using sentinel = await startSentinel();
    // Replicas that share processors lag, and writes that have not been replicated are lost.
    const safe = { ...settings(sentinel), waitReplicas: 1 };
    await using redis = await openTestRedis(safe, { embedder: EMBEDDER });
    const { memories } = redis.backend;
    expect((await redis.backend.describe()).topology).toBe("sentinel");
    const scope = { tenant: "t", namespace: randomUUID() };
    const load = startMemoryLoad(() => memories, scope);
    const follower = startFeedFollower(memories, scope);
    for (let failover = 0; failover < FAILOVERS; failover += 1) {
      const before = load.acknowledged.length;
      await eventually("memories", async () => load.acknowledged.length > before + SOME);
      const primary = await sentinel.primary();
      await primary.kill();
      await eventually("another primary", async () => (await sentinel.primary()) !== primary);
      const then = load.acknowledged.length;
      await eventually(
        "writes to the new primary",
        async () => load.acknowledged.length > then + SOME,
        async () =>
          `${load.acknowledged.length - then} came; ${load.lastRefusal()}\n${await described(sentinel)}`,
      );
      const answered = load.answered();
      await eventually("searches on the new primary", async () => load.answered() > answered + 10);
      if (failover + 1 === FAILOVERS) break;
      await primary.restart();
      await eventually("two replicas", async () => (await replicasOf(sentinel)) === 2);
    }
    expect(await load.stop()).toEqual({ errors: [], notFound: [] });
    expect(load.refused()).toBeGreaterThan(0);
    expect(await missingOf(memories, scope, load)).toEqual([]);
    const { created, wrong, losses } = await follower.stop();
    expect(wrong).toEqual([]);
    // A change that had not been replicated yet, and whose write was not acknowledged, may have been read already.
    expect(losses.filter((cause) => cause !== "store_replaced")).toEqual([]);
    expect(new Set(created)).toEqual(new Set(load.acknowledged));
    expect(created).toHaveLength(new Set(created).size);
  });

  // Takes half a minute, most of it in the old primary.
  it.runIf(scale(0, 1) === 1)(
    "forced by an operator moves every connection away from the read-only server",
    async () => {
      await using sentinel = await startSentinel();
      await using redis = await openTestRedis(settings(sentinel), { embedder: EMBEDDER });
      const { memories } = redis.backend;
      const scope = { tenant: "t", namespace: randomUUID() };
      const load = startMemoryLoad(() => memories, scope);
      await eventually("memories", async () => load.acknowledged.length > SOME);
      const primary = await sentinel.primary();
      const [first] = sentinel.sentinels;
      using client = connectTo(`redis://${first?.host}:${first?.port}`, { enableReadyCheck: false });
      await client.call("SENTINEL", "FAILOVER", sentinel.name);
      await eventually("another primary", async () => (await sentinel.primary()) !== primary);
      await eventually("the old one as a replica", async () => (await replicasOf(sentinel)) === 2);
      const then = load.acknowledged.length;
      await eventually("writes to the new primary", async () => load.acknowledged.length > then + SOME);
      // Until its demotion the old primary acknowledges writes that no replica gets: docs/operations/redis-topologies.md.
      expect((await load.stop()).errors).toEqual([]);
    },
  );

  it("announced while the primary is being resolved does not prevent the connection", async () => {
    await using server = await startRedis();
    await using sentinel = await startFakeSentinel(server);
    const told = { ...settingsOf("redis://127.0.0.1:1"), nodes: [sentinel], sentinelName: "primary" };
    await using redis = await openTestRedis(told, { embedder: EMBEDDER });
    const { memories } = redis.backend;
    const scope = { tenant: "t", namespace: "n" };
    const firstQuery = sentinel.pauseReplies();
    using client = connectTo(server.url);
    await client.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
    await firstQuery;
    await sentinel.publishFailover();
    sentinel.resumeReplies();
    await createdAtLast(memories, scope, "m1");
    expect(await memories.reader.exist(scope, ["m1"], NOW)).toEqual([true]);
  });

  it("works with Sentinels and servers that require a password and a certificate", async () => {
    await using certificates = await createCertificates();
    const password = "a-secret";
    await using sentinel = await startSentinel({ password, certificates });
    const { certFile, keyFile } = certificates.client;
    const secured = {
      ...settings(sentinel),
      password,
      sentinelPassword: password,
      tls: { enabled: true, caFile: certificates.caFile, certFile, keyFile },
    };
    const scope = { tenant: "t", namespace: "n" };
    await using redis = await openTestRedis(secured, { embedder: EMBEDDER });
    await redis.backend.memories.writer.create(scope, [newMemory({ id: "m1" })], { now: NOW });
    const primary = await sentinel.primary();
    await primary.kill();
    await createdAtLast(redis.backend.memories, scope, "m2");
    expect(await redis.backend.memories.reader.exist(scope, ["m1", "m2"], NOW)).toEqual([true, true]);
    const wrong = { ...secured, sentinelPassword: "another" };
    expect(await reasonOf(openTestRedis(wrong, { embedder: EMBEDDER }))).toBe("STORE_UNAVAILABLE");
  });

  it("is reported as an error when no Sentinel answers", async () => {
    const nobody = { ...settingsOf("redis://127.0.0.1:1"), sentinelName: "primary" };
    const opened = openTestRedis(nobody, { embedder: EMBEDDER });
    expect(await reasonOf(opened)).toBe("STORE_UNAVAILABLE");
  });
});

/** Resolves when a memory has been written; before, only STORE_UNAVAILABLE is allowed. */
function createdAtLast(memories: Memories, scope: NamespaceKey, id: string): Promise<void> {
  return eventually(`the memory ${id} on the primary`, async () => {
    const refusal = await reasonOf(memories.writer.create(scope, [newMemory({ id })], { now: NOW }));
    expect([undefined, "STORE_UNAVAILABLE"]).toContain(refusal);
    return refusal === undefined;
  });
}

/** The replication role of a server. */
async function replicationOf({ url }: RedisServer): Promise<string> {
  using client = connectTo(url);
  return await client.info("replication");
}

/** Number of replicas that are synchronised with the primary. */
async function replicasOf(sentinel: RedisSentinel): Promise<number> {
  return ((await replicationOf(await sentinel.primary())).match(/state=online/g) ?? []).length;
}

/** The primary according to the Sentinels, and the role of each server. */
async function described({ sentinels, servers, name }: RedisSentinel): Promise<string> {
  const named = sentinels.map(async ({ host, port }) => {
    using client = connectTo(`redis://${host}:${port}`, { enableReadyCheck: false });
    return `a Sentinel names ${await client.call("SENTINEL", "get-master-addr-by-name", name)}`;
  });
  const parts = servers.map(async (server) => `${server.port}: ${await replicationOf(server)}`);
  const said = await Promise.allSettled([...named, ...parts]);
  return said.map((one) => (one.status === "fulfilled" ? one.value : String(one.reason))).join("\n");
}
