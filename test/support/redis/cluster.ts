import { connectTo } from "./client.ts";
import { programsOfThisRun } from "./run.ts";
import { type RedisServer, startRedis } from "./server.ts";
import { eventually } from "./wait.ts";

/** An open-source Redis Cluster; a failover changes the roles of its servers and not these lists. */
export interface RedisCluster extends AsyncDisposable {
  /** A third of the slots each at the start, in order. */
  readonly primaries: readonly RedisServer[];
  /** Each replicates the primary with the same index. */
  readonly replicas: readonly RedisServer[];
  readonly servers: readonly RedisServer[];
}

const SLOTS = 16_384;
const PRIMARIES = 3;

/** Three primaries and three replicas; resolves when all of them call the cluster well and the replicas are in step. */
export async function startCluster(): Promise<RedisCluster> {
  const programs = await programsOfThisRun();
  await using starting = new AsyncDisposableStack();
  const config = { "cluster-enabled": "yes", "cluster-node-timeout": "2000" };
  const servers = await Promise.all(
    Array.from({ length: 2 * PRIMARIES }, async () => starting.use(await startRedis({ programs, config }))),
  );
  await join(servers);
  const running = starting.move();
  return {
    servers,
    primaries: servers.slice(0, PRIMARIES),
    replicas: servers.slice(PRIMARIES),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** Makes servers that know nothing of each other one cluster. */
async function join(servers: readonly RedisServer[]): Promise<void> {
  using closing = new DisposableStack();
  const nodes = servers.map(({ url }) => closing.use(connectTo(url)));
  const primaries = nodes.slice(0, PRIMARIES);
  // Otherwise they would have to agree on an order first; none may know another one yet.
  await Promise.all(nodes.map((node, index) => node.call("CLUSTER", "SET-CONFIG-EPOCH", index + 1)));
  await Promise.all(
    nodes.map(async (node, index) => {
      for (const { host, port, busPort } of servers) {
        if (port !== servers[index]?.port) await node.call("CLUSTER", "MEET", host, port, String(busPort));
      }
    }),
  );
  await Promise.all(
    primaries.map((node, index) => {
      const first = Math.ceil((SLOTS * index) / PRIMARIES);
      const last = Math.ceil((SLOTS * (index + 1)) / PRIMARIES) - 1;
      return node.call("CLUSTER", "ADDSLOTSRANGE", first, last);
    }),
  );
  const ids = await Promise.all(primaries.map((node) => node.call("CLUSTER", "MYID")));
  await Promise.all(
    nodes.slice(PRIMARIES).map(async (node, index) => {
      const id = String(ids[index]);
      await eventually("a replica that knows its primary", async () => (await nodesOf(node)).includes(id));
      await node.call("CLUSTER", "REPLICATE", id);
    }),
  );
  for (const node of nodes) {
    await eventually("a cluster that every node calls well", async () => {
      const info = String(await node.call("CLUSTER", "INFO"));
      const roles = (await nodesOf(node)).match(/(master|slave) .* connected/g) ?? [];
      const replicas = roles.filter((role) => role.startsWith("slave"));
      return (
        info.includes("cluster_state:ok") &&
        roles.length === servers.length &&
        replicas.length === servers.length - PRIMARIES
      );
    });
  }
  for (const replica of nodes.slice(PRIMARIES)) {
    await eventually("a replica in step", async () =>
      (await replica.info("replication")).includes("master_link_status:up"),
    );
  }
}

async function nodesOf(node: ReturnType<typeof connectTo>): Promise<string> {
  return String(await node.call("CLUSTER", "NODES"));
}
