import { Cluster, Redis } from "ioredis";
import { expect, it } from "vitest";
import { connectTo } from "./client.ts";
import { startCluster } from "./cluster.ts";
import { describeRedisPrograms } from "./run.ts";
import { startSentinel } from "./sentinel.ts";
import { eventually } from "./wait.ts";

await describeRedisPrograms("Redis of several servers", () => {
  it("promotes a replica with its data when the primary of a Sentinel is killed", async () => {
    await using sentinel = await startSentinel();
    const [first] = sentinel.servers;
    expect(await sentinel.primary()).toBe(first);
    using client = connectTo(first.url);
    await client.set("key", "value");
    expect(await client.wait(2, 10_000)).toBe(2);
    await first.kill();
    await eventually("another primary", async () => (await sentinel.primary()) !== first);
    const next = new Redis({ sentinels: [...sentinel.sentinels], name: sentinel.name });
    expect(await next.get("key")).toBe("value");
    expect(next.stream.remotePort).not.toBe(first.port);
    next.disconnect();
  });

  it("serves all slots of a Cluster, with a replica of each primary", async () => {
    await using cluster = await startCluster();
    const [seed] = cluster.primaries;
    const client = new Cluster([{ host: String(seed?.host), port: Number(seed?.port) }]);
    const keys = Array.from({ length: 30 }, (_, index) => `key:${index}`);
    for (const key of keys) await client.set(key, key);
    expect(await Promise.all(keys.map((key) => client.get(key)))).toEqual(keys);
    client.disconnect();
    const sizes = await Promise.all(
      cluster.primaries.map(async ({ url }) => {
        using node = connectTo(url);
        return await node.dbsize();
      }),
    );
    expect(sizes.every((size) => size > 0)).toBe(true);
    expect(sizes.reduce((sum, size) => sum + size)).toBe(keys.length);
    for (const [index, { url }] of cluster.replicas.entries()) {
      using replica = connectTo(url);
      expect(await replica.info("replication")).toContain(`master_port:${cluster.primaries[index]?.port}`);
    }
  });
});
