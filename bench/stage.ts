import process from "node:process";
import { removeAll, settingsOf } from "../test/support/redis/backend.ts";
import { Caller } from "./caller.ts";
import { CommandMonitor } from "./redis-monitor.ts";
import { type BenchRedis, openRedis } from "./redis-server.ts";
import { type ServerProcess, Workspace } from "./workspace.ts";

export const BACKENDS = ["embedded", "redis"] as const;
export type Backend = (typeof BACKENDS)[number];

/** A service over an empty store of its own, and what measures it. */
export interface Stage {
  readonly backend: Backend;
  readonly workspace: Workspace;
  readonly service: ServerProcess;
  readonly caller: Caller;
  /** Only on Redis. */
  readonly redis: RedisStage | undefined;
}

export interface RedisStage {
  readonly server: BenchRedis;
  readonly version: string;
  readonly monitor: CommandMonitor;
  /** Key prefix of the service. */
  readonly prefix: string;
  /** Opens another service over a store of its own on the same Redis; disposing it removes what it wrote. */
  readonly openElsewhere: () => Promise<Elsewhere>;
}

/** A service whose writes are recorded and not measured. */
export interface Elsewhere extends AsyncDisposable {
  readonly caller: Caller;
  readonly prefix: string;
}

export interface StageOptions {
  readonly backend: Backend;
  /** Directory of the compiled program. */
  readonly dist: string;
  /** URL of an existing Redis; undefined: starts one. */
  readonly redisUrl: string | undefined;
  readonly dimension: number;
}

/** The service counts accesses in Redis up to a second after a call. */
export const SETTLE_MS = 1100;

export async function openStage({
  backend,
  dist,
  redisUrl,
  dimension,
}: StageOptions): Promise<AsyncDisposable & { readonly stage: Stage }> {
  await using opening = new AsyncDisposableStack();
  const server = backend === "redis" ? opening.use(await openRedis(redisUrl)) : undefined;
  const workspace = opening.use(new Workspace());
  const start = (name: string): Promise<ServerProcess> =>
    workspace.service({
      dist,
      data: name,
      settings: { ...server?.settings(name), VECTOR_DIM: String(dimension) },
    });
  const name = `bench-${process.pid}`;
  const service = await start(name);
  const caller = opening.use(new Caller(service.address));
  const redis = server && (await redisStage(server, name, start));
  const opened = opening.move();
  return {
    stage: { backend, workspace, service, caller, redis },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

async function redisStage(
  server: BenchRedis,
  name: string,
  start: (name: string) => Promise<ServerProcess>,
): Promise<RedisStage> {
  return {
    server,
    version: /^redis_version:(\S+)/m.exec(await server.redis.info("server"))?.[1] ?? "unknown",
    monitor: new CommandMonitor(server.url, server.redis),
    prefix: `${name}:`,
    openElsewhere: async () => {
      const other = `${name}-elsewhere`;
      const service = await start(other);
      const caller = new Caller(service.address);
      return {
        caller,
        prefix: `${other}:`,
        [Symbol.asyncDispose]: async () => {
          caller[Symbol.dispose]();
          await service.stop();
          await removeAll(settingsOf(server.url), other);
        },
      };
    },
  };
}

/** used_memory of Redis in bytes; undefined without Redis. */
export async function usedBytes({ redis }: Stage): Promise<number | undefined> {
  if (redis === undefined) return undefined;
  return Number(/^used_memory:(\d+)/m.exec(await redis.server.redis.info("memory"))?.[1] ?? Number.NaN);
}
