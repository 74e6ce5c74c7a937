import { randomUUID } from "node:crypto";
import { type Client, Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { expect, it } from "vitest";
import { CacheService } from "#gen/recollect/v1/cache_pb.js";
import {
  Memory_Kind as Kind,
  MemoryService,
  SearchMemoriesRequest_Mode as Mode,
} from "#gen/recollect/v1/memory_pb.js";
import { toRefusal } from "../support/errors.ts";
import { connectTo } from "../support/redis/client.ts";
import { brokenInvariants } from "../support/redis/invariants.ts";
import { describeRedisPrograms } from "../support/redis/run.ts";
import { type RedisServer, startRedis } from "../support/redis/server.ts";
import { eventually } from "../support/redis/wait.ts";
import { scale, seededInteger } from "../support/scale.ts";
import { startProcess, type TestProcess } from "../support/start-process.ts";

const PREFIX = "kills:";
const WRITERS = 6;

interface Clients {
  readonly memory: Client<typeof MemoryService>;
  readonly cache: Client<typeof CacheService>;
}

/** The service in its own process, which can be killed and restarted; clients reconnect. */
class Service implements AsyncDisposable {
  readonly #redis: RedisServer;
  #process: TestProcess | undefined;
  #sessions: Http2SessionManager | undefined;
  #clients: Clients | undefined;

  constructor(redis: RedisServer) {
    this.#redis = redis;
  }

  get clients(): Clients {
    if (this.#clients === undefined) throw new TypeError("it was not started");
    return this.#clients;
  }

  async start(): Promise<void> {
    this.#process = await startProcess({
      MEMORY_BACKEND: "redis",
      REDIS_HOST: this.#redis.host,
      REDIS_PORT: String(this.#redis.port),
      REDIS_PREFIX: PREFIX,
      VECTOR_DIM: "384",
    });
    const { grpc } = JSON.parse(await this.#process.lineWith('"serving"')) as { grpc: string };
    const baseUrl = `http://${grpc}`;
    this.#sessions = new Http2SessionManager(baseUrl);
    const transport = createGrpcTransport({ baseUrl, sessionManager: this.#sessions });
    this.#clients = {
      memory: createClient(MemoryService, transport),
      cache: createClient(CacheService, transport),
    };
  }

  async kill(): Promise<void> {
    this.#sessions?.abort();
    await this.#process?.[Symbol.asyncDispose]();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }
}

/** The expected data: all acknowledged writes; refused ones are retried until acknowledged. */
interface Expected {
  /** Text of each memory by its id. */
  readonly memories: Map<string, string>;
  readonly deleted: Set<string>;
  readonly prompts: Set<string>;
}

type Step = (service: Service) => Promise<void>;

/** The next change of a writer; may be retried any number of times, and is applied once. */
function nextStep(
  writer: number,
  serial: number,
  own: string[],
  expected: Expected,
  next: (limit: number) => number,
): Step {
  const requestId = randomUUID();
  const text = `writer${writer} change${serial} ${(serial * 7919 + writer * 104_729).toString(36)}`;
  const kind = next(10);
  const [id] = own.length > 5 ? own.splice(next(own.length), 1) : [];
  if (kind < 2 && id !== undefined) {
    return async ({ clients }) => {
      await clients.memory.updateMemory({ memory: { id, text }, requestId });
      expected.memories.set(id, text);
      own.push(id);
    };
  }
  if (kind < 4 && id !== undefined) {
    return async ({ clients }) => {
      await clients.memory.deleteMemory({ id, requestId });
      expected.memories.delete(id);
      expected.deleted.add(id);
    };
  }
  if (id !== undefined) own.push(id);
  if (kind < 6) {
    return async ({ clients }) => {
      await clients.cache.storeCacheEntry({
        prompt: { prompt: { case: "text", value: text } },
        origin: { case: "scope", value: { model: "m" } },
        response: text,
        requestId,
      });
      expected.prompts.add(text);
    };
  }
  // Ids come from the server and messages are never duplicates, so that a retry that was applied twice is detected.
  const memories = Array.from({ length: 1 + next(10) }, (_, index) => ({
    text: `${text} part${index}`,
    kind: Kind.MESSAGE,
    sessionId: `session${next(3)}`,
    userId: `user${writer}`,
  }));
  return async ({ clients }) => {
    const { results } = await clients.memory.batchCreateMemories({ memories, requestId });
    for (const { outcome } of results) {
      if (outcome.case !== "memory") throw new Error(`refused: ${JSON.stringify(outcome.value)}`);
      expected.memories.set(outcome.value.id, outcome.value.text);
      own.push(outcome.value.id);
    }
  };
}

/** Whether a call failed because of a kill; rethrows other errors. */
function isOfKill(error: unknown): boolean {
  if (!(error instanceof ConnectError)) return false;
  const { reason } = toRefusal(error);
  return (
    reason === "STORE_UNAVAILABLE" ||
    (reason === undefined &&
      [Code.Unavailable, Code.Aborted, Code.Canceled, Code.Internal].includes(error.code))
  );
}

/** Resolves when Redis has processed the last command of a killed service. */
async function untilAlone({ url }: RedisServer): Promise<void> {
  using admin = connectTo(url);
  await eventually("an end of the service's connections", async () => {
    return !String(await admin.client("LIST")).includes("name=recollect ");
  });
}

await describeRedisPrograms("Redis and the service, killed under write load", () => {
  it("loses no acknowledged write, leaves no partial write, and applies retries once", async () => {
    const next = seededInteger(2026);
    await using redis = await startRedis();
    await using service = new Service(redis);
    await service.start();
    const expected: Expected = { memories: new Map(), deleted: new Set(), prompts: new Set() };
    const pending: (Step | undefined)[] = Array.from({ length: WRITERS });
    const own: string[][] = Array.from({ length: WRITERS }, () => []);
    let serial = 0;

    /** All writers write until so many changes were acknowledged; then a process is killed, and all writers fail. */
    const writeUntilKilled = async (changes: number, kill: () => Promise<void>): Promise<void> => {
      let left = changes;
      let killing: Promise<void> | undefined;
      const write = async (writer: number): Promise<void> => {
        for (;;) {
          serial += 1;
          const step = pending[writer] ?? nextStep(writer, serial, own[writer] ?? [], expected, next);
          pending[writer] = step;
          try {
            await step(service);
          } catch (error) {
            if (!isOfKill(error)) throw error;
            return;
          }
          pending[writer] = undefined;
          left -= 1;
          if (left <= 0) killing ??= kill();
        }
      };
      await Promise.all(Array.from({ length: WRITERS }, (_, writer) => write(writer)));
      await killing;
    };

    const kills = { redis: 0, service: 0 };
    for (let run = 0; run < scale(6, 50); run += 1) {
      // Each at least once: the writers share the random numbers, in a nondeterministic order.
      const who = (run < 2 ? run : next(2)) === 0 ? "redis" : "service";
      kills[who] += 1;
      await writeUntilKilled(5 + next(40), () => (who === "redis" ? redis.kill() : service.kill()));
      if (who === "redis") await redis.restart();
      else await untilAlone(redis);
      // Before any retry: each change in flight was applied completely or not at all.
      expect(await brokenInvariants(redis.url, PREFIX)).toEqual([]);
      if (who === "service") await service.start();
      await eventually("a service that serves again", () =>
        service.clients.memory.listMemories({ pageSize: 1 }).then(
          () => true,
          (error: unknown) => {
            if (isOfKill(error)) return false;
            throw error;
          },
        ),
      );
    }
    // Retries unacknowledged changes, including those that were acknowledged late.
    for (const step of pending) await step?.(service);
    expect(Math.min(kills.redis, kills.service)).toBeGreaterThan(0);

    const { memory, cache } = service.clients;
    const stored = new Map<string, string>();
    for (let pageToken = "", first = true; first || pageToken !== ""; first = false) {
      const page = await memory.listMemories({ pageSize: 1000, pageToken });
      for (const { id, text } of page.memories) stored.set(id, text);
      pageToken = page.nextPageToken;
    }
    expect(stored).toEqual(expected.memories);
    for (const prompt of expected.prompts) {
      const { outcome } = await cache.lookupCache({
        prompt: { prompt: { case: "text", value: prompt } },
        scope: { model: "m" },
      });
      expect(outcome.case).toBe("hit");
    }
    for (const [id, text] of [...stored].filter((_, index) => index % 17 === 0)) {
      const query = { by: { case: "text" as const, value: text } };
      for (const mode of [Mode.VECTOR, Mode.KEYWORD]) {
        const { results } = await memory.searchMemories({ query, mode, limit: 10 });
        expect(results.map(({ memory: found }) => found?.id)).toContain(id);
      }
    }
    expect(await brokenInvariants(redis.url, PREFIX)).toEqual([]);
  });
});
