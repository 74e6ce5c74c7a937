import { randomUUID } from "node:crypto";
import { expect, it } from "vitest";
import { Keys } from "../../src/adapters/redis/keys.ts";
import type { VectorIndexOptions } from "../../src/adapters/redis/schema.ts";
import type { EmbedderIdentity } from "../../src/ports/embedder.ts";
import { VECTOR_DIMENSION } from "../contract/store-under-test.ts";
import { clusterSettings, openTestRedis } from "../support/redis/backend.ts";
import { connectTo } from "../support/redis/client.ts";
import { startCluster } from "../support/redis/cluster.ts";
import { finds, missingOf, startMemoryLoad } from "../support/redis/memory-load.ts";
import { moveSlot } from "../support/redis/move-slot.ts";
import { describeRedisPrograms } from "../support/redis/run.ts";
import { eventually } from "../support/redis/wait.ts";
import { scale } from "../support/scale.ts";

const EMBEDDER: EmbedderIdentity = { provider: "test", model: "random", dimension: VECTOR_DIMENSION };
/** Finds what it is asked for, so that nothing but a loss is missing. */
const EXACT: VectorIndexOptions = { algorithm: "FLAT", hnsw: { m: 16, efConstruction: 200, efRuntime: 10 } };
const PARTITIONS = 4;
const MEMORIES = scale(100, 2000);
/** The third brings it back to where it was, and where its old index is. */
const MOVES = scale(3, 10);

await describeRedisPrograms("a partition of a cluster that moves to another server", () => {
  it("keeps what was acknowledged, and its index is made again under load", async () => {
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
    const owner = cluster.primaries.findIndex((_, at) => slot < Math.ceil((16_384 * (at + 1)) / 3));

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
        // Nothing is served from both sides, and nobody is left waiting.
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
});
