import { startApp, type TestApp } from "../start-app.ts";
import { connectTo } from "./client.ts";
import { type RedisOptions, type RedisServer, startRedis } from "./server.ts";
import { startTcpProxy, type TcpProxy } from "./tcp-proxy.ts";

/** REDIS_PREFIX of its server. */
export const PREFIX = "faults:";

/** A server of Recollect on a Redis of its own, with a proxy between the two. */
export interface Faulty extends AsyncDisposable {
  readonly redis: RedisServer;
  readonly proxy: TcpProxy;
  readonly app: TestApp;
  /** A connection to Redis past the proxy. */
  readonly admin: ReturnType<typeof connectTo>;
}

/** Timeouts and limits are those of the configuration where none are given. */
export async function startFaulty({
  redis: options,
  timeouts = {},
  lookupDeadlineMs,
  maxConcurrentCalls,
}: {
  readonly redis?: RedisOptions;
  readonly timeouts?: { readonly socketTimeoutMs?: number; readonly connectTimeoutMs?: number };
  readonly lookupDeadlineMs?: number;
  readonly maxConcurrentCalls?: number;
} = {}): Promise<Faulty> {
  await using starting = new AsyncDisposableStack();
  const redis = starting.use(await startRedis(options));
  const proxy = starting.use(await startTcpProxy(redis));
  const app = starting.use(
    await startApp({
      env: {
        MEMORY_BACKEND: "redis",
        REDIS_HOST: proxy.host,
        REDIS_PORT: String(proxy.port),
        REDIS_PREFIX: PREFIX,
        VECTOR_DIM: "64",
      },
      configure: (config) => ({
        ...config,
        redis: { ...config.redis, ...timeouts },
        cache: { ...config.cache, lookupDeadlineMs: lookupDeadlineMs ?? config.cache.lookupDeadlineMs },
        limits: {
          ...config.limits,
          maxConcurrentCalls: maxConcurrentCalls ?? config.limits.maxConcurrentCalls,
        },
      }),
    }),
  );
  const admin = starting.use(connectTo(redis.url, { enableReadyCheck: false }));
  const owned = starting.move();
  return { redis, proxy, app, admin, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}
