import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openBackend } from "../../src/app/backend.ts";
import { configuredIdentity } from "../../src/app/embedder-identity.ts";
import { load } from "../../src/config/load.ts";
import type { Backend } from "../../src/ports/backend.ts";
import { NOW, newMemory } from "../support/builders.ts";
import { quiet } from "../support/quiet.ts";
import { connectTo } from "../support/redis/client.ts";
import { type RedisCluster, startCluster } from "../support/redis/cluster.ts";
import { documentedAcl, USERS } from "../support/redis/documented-acl.ts";
import { describeRedisPrograms } from "../support/redis/run.ts";
import { type RedisServer, startRedis } from "../support/redis/server.ts";
import { eventually } from "../support/redis/wait.ts";
import { runCli } from "../support/run-cli.ts";
import { startApp } from "../support/start-app.ts";

const CLUSTER = { REDIS_TOPOLOGY: "cluster", REDIS_PARTITIONS: "4", REDIS_PREFIX: "set:" };

await describeRedisPrograms("Redis settings", () => {
  let folder: string;
  let cluster: RedisCluster;
  let single: RedisServer;
  beforeAll(async () => {
    [folder, cluster, single] = await Promise.all([
      mkdtemp(join(tmpdir(), "recollect-topologies-")),
      startCluster(),
      startRedis({ acl: documentedAcl("set:"), config: { appendonly: "no" } }),
    ]);
  });
  afterAll(async () => {
    await cluster[Symbol.asyncDispose]();
    await single[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });
  const nodes = (): string => cluster.primaries.map(({ host, port }) => `${host}:${port}`).join(",");
  const open = (env: Readonly<Record<string, string>>): Promise<Backend> => {
    const { config } = load({ env });
    return openBackend(config, {
      embedder: configuredIdentity(config),
      log: quiet.log,
      metrics: quiet.metrics,
    });
  };

  it("discover a cluster from any of its nodes; the first start fixes the number of partitions", async () => {
    const REDIS_NODES = nodes();
    await using backend = await open({ ...CLUSTER, REDIS_NODES, REDIS_TOPOLOGY: "auto" });
    expect((await backend.describe()).topology).toBe("cluster");
    const scopes = Array.from({ length: 8 }, (_, at) => ({ tenant: "t", namespace: `n${at}` }));
    for (const scope of scopes)
      await backend.memories.writer.create(scope, [newMemory({ id: "m1" })], { now: NOW });

    const [, { host = "", port = 0 } = {}] = cluster.replicas;
    await using again = await open({ ...CLUSTER, REDIS_NODES: `127.0.0.1:1,${host}:${port}` });
    const found = await again.namespaces.list("t", { after: "", limit: 100 });
    expect(found).toEqual(scopes.map(({ namespace }) => namespace));
    await expect(open({ ...CLUSTER, REDIS_NODES, REDIS_PARTITIONS: "5" })).rejects.toThrow(
      /4 partitions.*5 \(REDIS_PARTITIONS\)/,
    );
  });

  it("serve calls on a cluster, and leave no connection open after the server has stopped", async () => {
    const names = { REDIS_PREFIX: "app:", VECTOR_INDEX_NAME: "app:idx" };
    await using app = await startApp({ env: { ...CLUSTER, ...names, REDIS_NODES: nodes() } });
    const texts = ["Ana is allergic to nuts", "Bo drinks his tea without milk", "Cy has moved to Lisbon"];
    for (const [at, text] of texts.entries()) {
      await app.memory.createMemory({ namespace: `n${at}`, memory: { text } });
    }
    for (const [at, text] of texts.entries()) {
      const query = { by: { case: "text" as const, value: text } };
      const { results } = await app.memory.searchMemories({ namespace: `n${at}`, query });
      expect(results.map(({ memory }) => memory?.text)).toEqual([text]);
    }
    expect((await app.operations.getServerInfo({})).topology).toBe("cluster");
    await app.stop();
    for (const { url } of cluster.servers) {
      using client = connectTo(url);
      await eventually("no connection of the server", async () => {
        return !String(await client.client("LIST")).includes("name=recollect");
      });
    }
  });

  it("are rejected when Redis has another topology, or the key prefix contains a brace", async () => {
    const REDIS_NODES = nodes();
    const { host, port } = single;
    const refusals = [
      [
        { REDIS_NODES: REDIS_NODES.split(",")[0] ?? "", REDIS_TOPOLOGY: "standalone" },
        /REDIS_TOPOLOGY=standalone/,
      ],
      [{ REDIS_NODES: `${host}:${port}`, REDIS_TOPOLOGY: "cluster" }, /REDIS_TOPOLOGY=cluster/],
      [{ ...CLUSTER, REDIS_NODES, REDIS_PREFIX: "a{b}:" }, /a\{b\}: holds a brace/],
      [{ REDIS_NODES: "127.0.0.1:1,127.0.0.1:2" }, /cannot be reached/],
    ] as const;
    for (const [env, message] of refusals) await expect(open(env)).rejects.toThrow(message);
  });

  it("of a user with index rights are enough to set up Redis for a user without them", async () => {
    const names = { REDIS_PREFIX: "set:", VECTOR_INDEX_NAME: "set:idx", REDIS_URL: single.url };
    const asUser = ({ username, password }: (typeof USERS)["server"] | (typeof USERS)["setUp"]) => ({
      ...names,
      REDIS_USERNAME: username,
      REDIS_PASSWORD: password,
    });
    await expect(open(asUser(USERS.server))).rejects.toThrow(/set:idx.*`recollect redis setup`/);
    const setup = () => runCli(["redis", "setup"], { address: "", cwd: folder, env: asUser(USERS.setUp) });
    const ended = { code: 0, stdout: "set:idx  0 documents\nset:idx:cache  0 documents\n", stderr: "" };
    expect(await setup()).toEqual(ended);
    expect(await setup()).toEqual(ended);
    await using backend = await open(asUser(USERS.server));
    await backend.check();

    const embedded = await runCli(["redis", "setup"], { address: "", cwd: folder });
    expect(embedded).toMatchObject({ code: 2, stderr: expect.stringContaining("nothing to set up") });
  });
});
