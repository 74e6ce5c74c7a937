import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { removeAll } from "../../test/support/redis/backend.ts";
import { onFreePort, type RedisProcess, startProcess } from "../../test/support/redis/process.ts";
import { fetchPrograms, findInstalled } from "../../test/support/redis/programs.ts";
import { connectionOptions } from "./commands.ts";

/** The Redis of a measurement. */
export interface BenchRedis extends AsyncDisposable {
  readonly url: string;
  /** To ask it how it is; no load goes over this connection. */
  readonly redis: Redis;
  /** What the service is told, so that everything it writes is under names that begin so. */
  settings(name: string): Readonly<Record<string, string>>;
  /** Whether it was started for this run, and is empty. */
  readonly isOwn: boolean;
}

const HOST = "127.0.0.1";

/**
 * Starts a Redis Stack that keeps nothing on disk: the one on PATH, or the one of the tests. With a URL that one is
 * used, and what the run has written is removed in the end.
 */
export async function openRedis(url: string | undefined): Promise<BenchRedis> {
  await using opening = new AsyncDisposableStack();
  const address = url ?? (await start(opening));
  const redis = opening.adopt(new Redis(address, connectionOptions), (one) => one.disconnect());
  await redis.connect();
  const names = new Set<string>();
  if (url !== undefined) {
    opening.defer(async () => {
      for (const name of names) await removeAll(url, name);
    });
  }
  const opened = opening.move();
  return {
    url: address,
    redis,
    isOwn: url === undefined,
    settings: (name) => {
      names.add(name);
      return {
        MEMORY_BACKEND: "redis",
        REDIS_URL: address,
        REDIS_PREFIX: `${name}:`,
        VECTOR_INDEX_NAME: `${name}:memories`,
        CACHE_INDEX_NAME: `${name}:cache`,
      };
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

async function start(closing: AsyncDisposableStack): Promise<string> {
  const programs = (await findInstalled()) ?? (await fetchPrograms());
  const directory = await mkdtemp(join(tmpdir(), "recollect-bench-redis-"));
  closing.defer(() => rm(directory, { recursive: true, force: true }));
  const modules = programs.modules.map(([file, ...args]) => `loadmodule "${file}" ${args.join(" ")}`);
  const { server, port } = await onFreePort(async (port): Promise<{ server: RedisProcess; port: number }> => {
    const lines = [`bind ${HOST}`, `port ${port}`, 'save ""', "appendonly no", ...modules, ""];
    await writeFile(join(directory, "redis.conf"), lines.join("\n"));
    return { server: await startProcess(programs, directory), port };
  });
  closing.defer(() => server.kill());
  return `redis://${HOST}:${port}`;
}
