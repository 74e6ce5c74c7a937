import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Keys } from "../../src/adapters/redis/namespaces/keys.ts";
import type { NamespaceKey } from "../../src/domain/access/tenancy.ts";
import type { EmbedderIdentity } from "../../src/ports/embedding/embedder.ts";
import { reasonOf, VECTOR_DIMENSION, vectorOf } from "../contract/store-under-test.ts";
import { NOW, newMemory } from "../support/builders.ts";
import { quiet } from "../support/quiet.ts";
import { clusterSettings, openTestRedis } from "../support/redis/backend.ts";
import { connectTo } from "../support/redis/client.ts";
import { type RedisCluster, startCluster } from "../support/redis/cluster.ts";
import { describeRedisPrograms } from "../support/redis/run.ts";
import { eventually } from "../support/redis/wait.ts";

const EMBEDDER: EmbedderIdentity = { provider: "test", model: "random", dimension: VECTOR_DIMENSION };
const READY = { state: "READY", ...EMBEDDER, truncated: false } as const;
const PARTITIONS = 6;

await describeRedisPrograms("a cluster node that loses its data", () => {
  let cluster: RedisCluster;
  beforeAll(async () => {
    cluster = await startCluster();
  });
  afterAll(() => cluster[Symbol.asyncDispose]());

  it.each([
    { name: "that of the first partition", ofFirst: true },
    { name: "another one", ofFirst: false },
  ])("$name: its partitions restart empty, and the others keep their data", async ({ ofFirst }) => {
    const errors: { readonly fields: object; readonly message: string }[] = [];
    const log = {
      ...quiet.log,
      info: () => undefined,
      error: (fields: object, message: string) => void errors.push({ fields, message }),
    };
    await using redis = await openTestRedis(clusterSettings(cluster.primaries), {
      embedder: EMBEDDER,
      partitions: PARTITIONS,
      log,
    });
    const keys = new Keys(`${redis.name}:`, PARTITIONS);
    const scopes = keys.all().map(({ number }) => scopeIn(keys, number));
    const write = async (scope: NamespaceKey, id: string, seed: number) => {
      const item = newMemory({ id, text: `word${seed}`, embedding: READY }, { vector: vectorOf(seed) });
      await redis.backend.memories.writer.create(scope, [item], { now: NOW });
    };
    const search = async (scope: NamespaceKey, seed: number): Promise<readonly string[]> => {
      const filter = { states: ["ACTIVE" as const] };
      const query = { vector: vectorOf(seed), model: EMBEDDER, filter, limit: 5 };
      return (await redis.backend.memories.search.search(scope, query, NOW)).byVector
        .map(({ id }) => id)
        .toSorted();
    };
    for (const scope of scopes) await write(scope, "before", 1);
    await redis.backend.check();

    const owners = await Promise.all(keys.all().map(({ meta }) => ownerOf(cluster, meta)));
    const owner = ofFirst ? owners[0] : owners.find((one) => one !== owners[0]);
    const lost = keys.all().flatMap(({ number }) => (owners[number] === owner ? [number] : []));
    using admin = connectTo(cluster.primaries[owner ?? 0]?.url ?? "");
    await admin.flushall();

    for (const [number, scope] of scopes.entries()) {
      await eventually(
        `a write to partition ${number}`,
        async () => (await reasonOf(write(scope, "after", 2))) === undefined,
      );
      const expected = lost.includes(number) ? ["after"] : ["after", "before"];
      await eventually(`a search in partition ${number}`, async () => {
        let ids: readonly string[] = [];
        const reason = await reasonOf(search(scope, 2).then((found) => (ids = found)));
        return reason === undefined && ids.join() === expected.join();
      });
    }
    await redis.backend.check();
    expect(errors).toEqual([
      {
        fields: expect.objectContaining({ partitions: lost }),
        message: expect.stringContaining(`partitions ${lost.join(", ")} was replaced by an empty one`),
      },
    ]);
    // A restart reports no error, and the same data.
    await redis.reopen();
    for (const [number, scope] of scopes.entries()) {
      expect(await search(scope, 2)).toEqual(lost.includes(number) ? ["after"] : ["after", "before"]);
    }
  });
});

/** A namespace in a partition. */
function scopeIn(keys: Keys, partition: number): NamespaceKey {
  const names = Array.from({ length: 1000 }, () => ({ tenant: "t", namespace: randomUUID() }));
  const scope = names.find((one) => keys.partitionOf(one) === partition);
  if (scope === undefined) throw new Error("no name lies there");
  return scope;
}

/** Index of the primary that has a key. */
async function ownerOf({ primaries }: RedisCluster, key: string): Promise<number> {
  using node = connectTo(primaries[0]?.url ?? "");
  const slot = Number(await node.call("CLUSTER", "KEYSLOT", key));
  return primaries.findIndex((_, at) => slot < Math.ceil((16_384 * (at + 1)) / primaries.length));
}
