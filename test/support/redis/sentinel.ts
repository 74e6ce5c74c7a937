import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Certificates } from "./certificates.ts";
import { connectTo } from "./client.ts";
import { onFreePort, type RedisProcess, startProcess } from "./process.ts";
import type { RedisPrograms } from "./programs.ts";
import { programsOfThisRun } from "./run.ts";
import { type RedisServer, startRedis, tlsSettings } from "./server.ts";
import { eventually } from "./wait.ts";

/** A primary, two replicas, and three sentinels that watch them; two have to agree that the primary is down. */
export interface RedisSentinel extends AsyncDisposable {
  /** The name of the primary in the Sentinels. */
  readonly name: string;
  readonly sentinels: readonly { readonly host: string; readonly port: number }[];
  /** The primary of the start, then its replicas; a failover changes the roles and not this list. */
  readonly servers: readonly [RedisServer, RedisServer, RedisServer];
  /** The server that the first sentinel takes for the primary now. */
  primary(): Promise<RedisServer>;
}

const NAME = "recollect";

/** Authentication: servers and Sentinels have the same password, and accept only TLS. */
export interface Secured {
  readonly password: string;
  readonly certificates: Certificates;
}

/** Resolves when the replicas are online (an earlier failover could promote an empty one) and sentinels know all. */
export async function startSentinel(secured?: Secured): Promise<RedisSentinel> {
  const programs = await programsOfThisRun();
  await using starting = new AsyncDisposableStack();
  const tls = secured === undefined ? {} : { tls: secured.certificates };
  const own = secured === undefined ? {} : securedConfig(secured);
  const connect = (url: string, options = {}) =>
    connectTo(url, { ...options, ...(secured === undefined ? {} : securedClient(secured)) });
  const primary = starting.use(await startRedis({ programs, ...tls, config: own }));
  const config = { ...own, replicaof: `${primary.host} ${primary.port}` };
  const replicas = await Promise.all(
    [1, 2].map(async () => starting.use(await startRedis({ programs, ...tls, config }))),
  );
  const servers = [primary, ...replicas] as unknown as RedisSentinel["servers"];
  using client = connect(primary.url);
  await eventually("two replicas online", async () => {
    return (await client.info("replication")).match(/state=online/g)?.length === 2;
  });
  const sentinels = await Promise.all(
    [1, 2, 3].map(async () => starting.use(await startSentinelProcess(programs, primary, secured))),
  );
  for (const { url } of sentinels) {
    using sentinel = connect(url, { enableReadyCheck: false });
    await eventually("a sentinel that knows two replicas and two others", async () => {
      const info = await sentinel.info("sentinel");
      return info.includes("status=ok") && info.includes("slaves=2,sentinels=3");
    });
  }
  const stop = starting.move();
  return {
    name: NAME,
    sentinels,
    servers,
    primary: async () => {
      using sentinel = connect(String(sentinels[0]?.url), { enableReadyCheck: false });
      const [, port] = (await sentinel.call("SENTINEL", "get-master-addr-by-name", NAME)) as string[];
      const server = servers.find((candidate) => candidate.port === Number(port));
      if (server === undefined)
        throw new Error(`the sentinel names port ${port}, where no server of this test is`);
      return server;
    },
    [Symbol.asyncDispose]: () => stop.disposeAsync(),
  };
}

interface Sentinel extends AsyncDisposable {
  readonly url: string;
  readonly host: string;
  readonly port: number;
}

function securedClient({ password, certificates: { ca, client } }: Secured) {
  return { password, tls: { ca, cert: client.cert, key: client.key } };
}

function securedConfig({ password }: Secured): Readonly<Record<string, string>> {
  return { requirepass: password, masterauth: password, "tls-replication": "yes" };
}

async function startSentinelProcess(
  programs: RedisPrograms,
  primary: RedisServer,
  secured: Secured | undefined,
): Promise<Sentinel> {
  return onFreePort(async (port) => {
    const directory = await mkdtemp(join(tmpdir(), "recollect-sentinel-"));
    const lines = [
      "bind 127.0.0.1",
      ...(secured === undefined
        ? [`port ${port}`]
        : Object.entries({ ...tlsSettings(port, secured.certificates), ...securedConfig(secured) })
            .filter(([name]) => name !== "masterauth")
            .map(([name, value]) => `${name} ${value}`)),
      `sentinel monitor ${NAME} ${primary.host} ${primary.port} 2`,
      `sentinel down-after-milliseconds ${NAME} 1000`,
      `sentinel failover-timeout ${NAME} 5000`,
      ...(secured === undefined
        ? []
        : [`sentinel auth-pass ${NAME} ${secured.password}`, `sentinel sentinel-pass ${secured.password}`]),
      "",
    ];
    await writeFile(join(directory, "redis.conf"), lines.join("\n"));
    let running: RedisProcess;
    try {
      running = await startProcess(programs, directory, "--sentinel");
    } catch (error) {
      await rm(directory, { recursive: true });
      throw error;
    }
    return {
      url: `${secured === undefined ? "redis" : "rediss"}://127.0.0.1:${port}`,
      host: "127.0.0.1",
      port,
      [Symbol.asyncDispose]: async () => {
        await running.kill();
        await rm(directory, { recursive: true });
      },
    };
  });
}
