import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { removeAll, settingsOf } from "../test/support/redis/backend.ts";
import { onFreePort, type RedisProcess, startProcess } from "../test/support/redis/process.ts";
import { fetchPrograms, findInstalled } from "../test/support/redis/programs.ts";
import { connectionOptions } from "./contenders/commands.ts";

/** The Redis of a measurement. */
export interface BenchRedis extends AsyncDisposable {
  readonly url: string;
  /** Connection for INFO; without load. */
  readonly redis: Redis;
  /** Settings of the service, with a key prefix of its own. */
  settings(name: string): Readonly<Record<string, string>>;
  /** Whether it was started, empty, for this run. */
  readonly isOwn: boolean;
}

const HOST = "127.0.0.1";

/**
 * Starts a Redis Stack without persistence: the one on PATH, or the one of the tests. With a URL, that server is used,
 * and the keys of the run are deleted at the end.
 */
export async function openRedis(url: string | undefined): Promise<BenchRedis> {
  await using opening = new AsyncDisposableStack();
  const address = url ?? (await start(opening));
  const redis = opening.adopt(new Redis(address, connectionOptions), (one) => one.disconnect());
  await redis.connect();
  const names = new Set<string>();
  if (url !== undefined) {
    opening.defer(async () => {
      for (const name of names) await removeAll(settingsOf(url), name);
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

/** Says why no Redis Stack can be started here; undefined when one can. */
export async function findRedis(): Promise<string | undefined> {
  if ((await findInstalled()) !== undefined) return undefined;
  return fetchPrograms().then(
    () => undefined,
    ({ message }: Error) => message,
  );
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
