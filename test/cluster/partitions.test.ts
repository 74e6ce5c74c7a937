import { randomUUID } from "node:crypto";
import { expect, it } from "vitest";
import type { VectorIndexOptions } from "../../src/adapters/redis/indexes/schema.ts";
import { Keys } from "../../src/adapters/redis/namespaces/keys.ts";
import type { NamespaceKey } from "../../src/domain/access/tenancy.ts";
import type { EmbedderIdentity } from "../../src/ports/embedding/embedder.ts";
import { VECTOR_DIMENSION } from "../contract/store-under-test.ts";
import { clusterSettings, openTestRedis } from "../support/redis/backend.ts";
import { connectTo } from "../support/redis/client.ts";
import { type RedisCluster, startCluster } from "../support/redis/cluster.ts";
import { finds, missingOf, startMemoryLoad } from "../support/redis/memory-load.ts";
import { moveSlot } from "../support/redis/move-slot.ts";
import { describeRedisPrograms } from "../support/redis/run.ts";
import type { RedisServer } from "../support/redis/server.ts";
import { eventually } from "../support/redis/wait.ts";
import { scale } from "../support/scale.ts";

const EMBEDDER: EmbedderIdentity = { provider: "test", model: "random", dimension: VECTOR_DIMENSION };
/** Exhaustive search settings, so that a missing result is a lost write. */
const EXACT: VectorIndexOptions = { algorithm: "FLAT", hnsw: { m: 16, efConstruction: 200, efRuntime: 10 } };
const PARTITIONS = 4;
const MEMORIES = scale(100, 2000);
/** The third move returns the partition to its first node, which has its old index. */
const MOVES = scale(3, 10);

await describeRedisPrograms("a cluster partition", () => {
  it("that moves to another node keeps all acknowledged writes, and its index is recreated under load", async () => {
    await using cluster = await startCluster();
    await using redis = await openTestRedis(clusterSettings(cluster.primaries), {
      embedder: EMBEDDER,
      partitions: PARTITIONS,
      vectors: EXACT,
    });
    const keys = new Keys(`${redis.name}:`, PARTITIONS);
    const scope = { tenant: "t", namespace: randomUUID() };
    const partition = keys.partition(keys.partitionOf(scope));
    using node = connectTo(cluster.primaries[0]?.url ?? "");
    const slot = Number(await node.call("CLUSTER", "KEYSLOT", partition.meta));
    const owner = cluster.primaries.indexOf((await ownerOf(cluster, partition.meta)) as RedisServer);

    const { memories } = redis.backend;
    const load = startMemoryLoad(() => memories, scope);
    for (let move = 0; move < MOVES; move += 1) {
      const [from, to, other] = [0, 1, 2].map((at) => cluster.primaries[(owner + move + at) % 3]);
      if (from === undefined || to === undefined || other === undefined) throw new Error("no such server");
      const before = load.acknowledged.length;
      await eventually("more memories", async () => load.acknowledged.length > before + MEMORIES);
      const refusedBefore = load.refused();
      await moveSlot(slot, {
        from,
        to,
        others: [other],
        // No result is served by both nodes, and no call stays pending.
        between: () => eventually("a refused call", async () => load.refused() > refusedBefore),
      });
      const after = load.acknowledged.length;
      await eventually("writes on the new server", async () => load.acknowledged.length > after + 10);
      const answered = load.answered();
      await eventually("searches on the new server", async () => load.answered() > answered + 10);
      using there = connectTo(to.url);
      await eventually("the index on the new server", async () => {
        const names = (await there.call("FT._LIST")) as string[];
        return names.some((name) => name.includes(`{p0${partition.number}}`) && name.includes("memories"));
      });
    }
    expect(await load.stop()).toEqual({ errors: [], notFound: [] });
    await eventually("the last memory by the index", () =>
      finds(memories, scope, load.acknowledged.length - 1),
    );
    expect(await missingOf(memories, scope, load)).toEqual([]);
    const info = await redis.backend.indexes.info();
    const inIndexes = info.filter(({ content }) => content === "MEMORIES");
    expect(inIndexes.map(({ documentCount }) => documentCount)).toContain(load.acknowledged.length);
  });

  it("whose primary is killed is served by its replica with all acknowledged writes, without a restart", async () => {
    await using cluster = await startCluster();
    await using redis = await openTestRedis(clusterSettings(cluster.primaries), {
      embedder: EMBEDDER,
      partitions: PARTITIONS,
      vectors: EXACT,
    });
    const keys = new Keys(`${redis.name}:`, PARTITIONS);
    const { memories } = redis.backend;
    // Otherwise all servers refuse commands while one is down.
    for (const { url } of cluster.servers) {
      using node = connectTo(url);
      await node.config("SET", "cluster-require-full-coverage", "no");
    }
    // One namespace on each of two servers: the other one must not be affected.
    const owners = await Promise.all(keys.all().map(({ meta }) => ownerOf(cluster, meta)));
    const [first] = owners;
    const [scope, other] = [0, owners.findIndex((owner) => owner !== first)].map((at) =>
      scopeIn(keys, at),
    ) as [NamespaceKey, NamespaceKey];
    const load = startMemoryLoad(() => memories, scope);
    const elsewhere = startMemoryLoad(() => memories, other);
    await eventually("memories", async () => load.acknowledged.length > MEMORIES);
    await first?.kill();
    await eventually("a refused call", async () => load.refused() > 0);
    const then = load.acknowledged.length;
    await eventually("writes to the replica", async () => load.acknowledged.length > then + MEMORIES);
    const answered = load.answered();
    await eventually("searches on the replica", async () => load.answered() > answered + 10);
    expect(await load.stop()).toEqual({ errors: [], notFound: [] });
    expect(await elsewhere.stop()).toEqual({ errors: [], notFound: [] });
    expect(elsewhere.refused()).toBe(0);
    expect(await missingOf(memories, scope, load)).toEqual([]);
    expect(await missingOf(memories, other, elsewhere)).toEqual([]);
    // It returns as a replica, and is synchronised before the cleanup.
    await first?.restart();
    await redis.backend.check();
  });
});

/** A namespace in a partition. */
function scopeIn(keys: Keys, partition: number): NamespaceKey {
  for (;;) {
    const scope = { tenant: "t", namespace: randomUUID() };
    if (keys.partitionOf(scope) === partition) return scope;
  }
}

/** The primary that had a key when the cluster was started. */
async function ownerOf({ primaries }: RedisCluster, key: string): Promise<RedisServer | undefined> {
  using node = connectTo(primaries[0]?.url ?? "");
  const slot = Number(await node.call("CLUSTER", "KEYSLOT", key));
  return primaries.find((_, at) => slot < Math.ceil((16_384 * (at + 1)) / primaries.length));
}
