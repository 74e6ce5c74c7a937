import { setTimeout } from "node:timers/promises";
import { type Client, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { expect, it } from "vitest";
import { CacheService } from "#gen/recollect/v1/cache_pb.js";
import { Keys } from "../../src/adapters/redis/namespaces/keys.ts";
import { connectTo } from "../support/redis/client.ts";
import { brokenInvariants } from "../support/redis/invariants.ts";
import { describeRedisPrograms } from "../support/redis/run.ts";
import { type RedisServer, startRedis } from "../support/redis/server.ts";
import { eventually } from "../support/redis/wait.ts";
import { scale } from "../support/scale.ts";
import { startProcess, type TestProcess } from "../support/start-process.ts";

const PREFIX = "bound:";
const PROCESSES = 3;
const STORES = scale(1500, 200_000);
const BOUND = scale(100, 10_000);
/** Calls at the same time for each process. */
const CALLERS = 16;
const LOOK_MS = 5;
/** 130 stores a second were measured on two busy processors. */
const TIMEOUT_MS = scale(120_000, 7_200_000);

await describeRedisPrograms("one bound of three processes", () => {
  it.each(["adaptive", "lru"])(
    `holds at any time over ${STORES} stores by %s, also when one of them is killed`,
    async (policy) => {
      // Only the service is killed, so Redis needs no log.
      await using redis = await startRedis({ config: { appendonly: "no" } });
      await using processes = new AsyncDisposableStack();
      const services = await Promise.all(
        Array.from({ length: PROCESSES }, async () => processes.use(await startService(redis, policy))),
      );
      using watch = connectTo(redis.url);
      const partition = new Keys(PREFIX, 1).partition(0);
      let isStoring = true;
      let most = 0;
      let looks = 0;
      const watching = (async () => {
        while (isStoring) {
          const [namespaceId] = Object.values(await watch.hgetall(partition.namespaces));
          await setTimeout(LOOK_MS);
          if (namespaceId === undefined) continue;
          most = Math.max(most, await watch.zcard(partition.namespace(namespaceId).cacheOrder));
          looks += 1;
        }
      })();

      let [next, stored, notStored] = [0, 0, 0];
      const killed = services.at(-1);
      const callers = services.flatMap((service) =>
        Array.from({ length: CALLERS }, async () => {
          while (next < STORES && !service.isKilled) {
            const number = next;
            next += 1;
            if (number === STORES / 2) killed?.kill();
            const answer = await service.store(number);
            if (answer === "stored") stored += 1;
            if (answer === "notStored") notStored += 1;
          }
        }),
      );
      await Promise.all(callers);
      isStoring = false;
      await watching;

      expect(killed?.isKilled).toBe(true);
      // Those of the killed process are lost, at most one of each caller.
      expect(stored + notStored).toBeGreaterThanOrEqual(STORES - CALLERS);
      expect(stored).toBeGreaterThan(BOUND);
      expect(looks).toBeGreaterThan(20);
      expect(most).toBe(BOUND);
      expect(await brokenInvariants(redis.url, PREFIX)).toEqual([]);
      // The index follows in the background; what was evicted is in it no more.
      const documents = async (): Promise<number> => documentsOf(redis);
      await eventually(
        `${BOUND} documents`,
        async () => (await documents()) === BOUND,
        async () => `there are ${await documents()}`,
      );
    },
    TIMEOUT_MS,
  );
});

interface Service extends AsyncDisposable {
  readonly isKilled: boolean;
  /** "lost": the process was killed. */
  store(number: number): Promise<"stored" | "notStored" | "lost">;
  kill(): void;
}

async function startService(redis: RedisServer, policy: string): Promise<Service> {
  const server: TestProcess = await startProcess({
    MEMORY_BACKEND: "redis",
    REDIS_HOST: redis.host,
    REDIS_PORT: String(redis.port),
    REDIS_PREFIX: PREFIX,
    VECTOR_DIM: "16",
    CACHE_MAX_ENTRIES: String(BOUND),
    CACHE_EVICTION_POLICY: policy,
  });
  const { grpc } = JSON.parse(await server.lineWith('"serving"')) as { grpc: string };
  const baseUrl = `http://${grpc}`;
  const sessions = new Http2SessionManager(baseUrl);
  const cache: Client<typeof CacheService> = createClient(
    CacheService,
    createGrpcTransport({ baseUrl, sessionManager: sessions }),
  );
  let isKilled = false;
  return {
    get isKilled() {
      return isKilled;
    },
    store: async (number) => {
      try {
        const { stored } = await cache.storeCacheEntry({
          prompt: { prompt: { case: "text", value: `What is number ${number}?` } },
          origin: { case: "scope", value: { model: "m" } },
          response: "a".repeat(1 + ((number * 7919) % 300)),
        });
        return stored ? "stored" : "notStored";
      } catch (error) {
        if (isKilled && error instanceof ConnectError) return "lost";
        throw error;
      }
    },
    kill: () => {
      isKilled = true;
      server.process.kill("SIGKILL");
    },
    [Symbol.asyncDispose]: async () => {
      sessions.abort();
      await server[Symbol.asyncDispose]();
    },
  };
}

/** Documents of the index of cache entries. */
async function documentsOf({ url }: RedisServer): Promise<number> {
  using redis = connectTo(url);
  for (const name of (await redis.call("FT._LIST")) as string[]) {
    const info = (await redis.call("FT.INFO", name)) as unknown[];
    const definition = JSON.stringify(info[info.indexOf("index_definition") + 1]);
    if (definition.includes(`${PREFIX}{p00}:c:`)) return Number(info[info.indexOf("num_docs") + 1]);
  }
  throw new Error("there is no index of cache entries");
}
