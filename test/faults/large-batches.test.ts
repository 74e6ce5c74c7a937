import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { type Client, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { describe, expect, it } from "vitest";
import { MemoryService } from "#gen/recollect/v1/memory_pb.js";
import { describeRedisPrograms } from "../support/redis/run.ts";
import { startRedis } from "../support/redis/server.ts";
import { eventually } from "../support/redis/wait.ts";
import { LONG_RUN, scale, seededInteger } from "../support/scale.ts";
import { startProcess, type TestProcess } from "../support/start-process.ts";

/** The largest batch that is allowed: 200 texts of together 8 MiB. */
const COUNT = 200;
const TEXT_BYTES = 40 * 1024;
const MIB = 1024 * 1024;
/** A non-empty filter that matches all memories: every memory has an importance. */
const EVERY_MEMORY = { importance: { min: 0 } };
/** Maximum time for which a valid batch may block the event loop, or Redis. */
const MAX_BLOCKED_MS = 100;
/** Other processes delay single runs; delays by the service occur in each run. */
const RUNS = 3;

const next = seededInteger(7);

/** A text with hardly any repeated word: the maximum work for indexes. */
function manyWords(bytes = TEXT_BYTES): string {
  const words: string[] = [];
  for (let length = 0; length < bytes; length += 5)
    words.push(
      next(36 ** 4)
        .toString(36)
        .padStart(4, "q"),
    );
  return words.join(" ").slice(0, bytes);
}

function largeBatch(name: string, count = COUNT) {
  return Array.from({ length: count }, (_, index) => ({ id: `${name}-${index}`, text: manyWords() }));
}

interface Backend extends AsyncDisposable {
  readonly env: Readonly<Record<string, string>>;
  /** URL of Redis, if used. */
  readonly url?: string;
}

async function serve(
  env: Backend["env"],
  more: Backend["env"] = {},
): Promise<{ readonly server: TestProcess; readonly memory: Client<typeof MemoryService> }> {
  const server = await startProcess({ ...env, ...more });
  const { grpc } = JSON.parse(await server.lineWith('"serving"')) as { grpc: string };
  const transport = createGrpcTransport({ baseUrl: `http://${grpc}` });
  return { server, memory: createClient(MemoryService, transport) };
}

/** Cases of large batches for all backends. */
function largeBatchCases(open: () => Promise<Backend>): void {
  it("is resumed after its last committed step by a retry, when the server was killed during it", async () => {
    await using backend = await open();
    const count = scale(40, COUNT);
    // All texts together exceed the default response limit.
    const request = { memories: largeBatch("m", count), requestId: "large", maxAnswerBytes: 16 * MIB };
    const first = await serve(backend.env);
    const ended = first.memory.batchCreateMemories(request).then(
      () => "answered",
      () => "broken",
    );
    const stored = async (memory: Client<typeof MemoryService>) =>
      (await memory.getNamespaceStats({})).memoryCount;
    await eventually("a first step", async () => (await stored(first.memory)) > 0);
    first.server.process.kill("SIGKILL");
    expect(await ended).toBe("broken");
    await first.server[Symbol.asyncDispose]();

    const again = await serve(backend.env);
    await using _ = again.server;
    const before = await stored(again.memory);
    expect(before).toBeGreaterThan(0);
    expect(before).toBeLessThan(count);
    const { results } = await again.memory.batchCreateMemories(request);
    const answered = results.map(({ outcome }) => (outcome.case === "memory" ? outcome.value : undefined));
    expect(answered.map((one) => one?.id)).toEqual(request.memories.map(({ id }) => id));
    expect(answered.map((one) => one?.text)).toEqual(request.memories.map(({ text }) => text));
    expect(await stored(again.memory)).toBe(count);
    // Another retry: the same response, from the idempotency record.
    const repeat = await again.memory.batchCreateMemories(request);
    expect(repeat.results).toEqual(results);
    expect(await stored(again.memory)).toBe(count);
  });

  it.runIf(LONG_RUN)(
    "blocks neither the event loop nor Redis: creation, replay, import and purge",
    async () => {
      await using backend = await open();
      const probe = new URL("../support/report-loop-delay.ts", import.meta.url);
      const { server, memory } = await serve(backend.env, { NODE_OPTIONS: `--import ${probe.href}` });
      await using _ = server;
      const pings =
        backend.url === undefined
          ? undefined
          : new Worker(new URL("../support/redis/ping-probe.ts", import.meta.url), {
              workerData: backend.url,
            });
      let reports = 0;
      /** Maximum blocking time of both since the last call. */
      const blocking = async (): Promise<{ readonly loop: number; readonly redis: number }> => {
        reports += 1;
        const line = server.lineWith(`"loopDelay":${reports},`);
        server.process.kill("SIGUSR2");
        const { maxMs } = JSON.parse(await line) as { maxMs: number };
        if (pings === undefined) return { loop: maxMs, redis: 0 };
        pings.postMessage("");
        const [redis] = (await once(pings, "message")) as [number];
        return { loop: maxMs, redis };
      };
      const all: Record<string, { loop: number; redis: number }[]> = {};
      const measured = async (name: string, work: Promise<unknown>): Promise<void> => {
        await blocking();
        await work;
        const runs = all[name] ?? [];
        all[name] = [...runs, await blocking()];
      };
      const importAll = async (memories: ReturnType<typeof largeBatch>): Promise<void> => {
        for await (const { importedCount } of memory.importMemories(single({ memories, sequence: 1 }))) {
          expect(importedCount).toBe(memories.length);
        }
      };
      // Warm-up: code that is compiled at the first call.
      await memory.batchCreateMemories({ memories: largeBatch("warm", 5) });
      await importAll(largeBatch("warm import", 5).map((one) => ({ ...one, id: one.id.replace(" ", "-") })));
      for (let run = 0; run < RUNS; run += 1) {
        const memories = largeBatch(`b${run}`);
        const request = { memories, requestId: `r${run}` };
        await measured("batch", memory.batchCreateMemories(request));
        await measured("repeat", memory.batchCreateMemories(request));
        await measured("import", importAll(largeBatch(`i${run}`)));
        const short = Array.from({ length: COUNT }, (_, index) => ({
          id: `s${run}-${index}`,
          text: manyWords(100),
        }));
        await measured("short", memory.batchCreateMemories({ memories: short }));
        await measured("purge", memory.purgeMemories({ filter: EVERY_MEMORY, force: true }));
      }
      await pings?.terminate();
      // biome-ignore lint/suspicious/noConsole: these are the figures that the test is run for
      console.log(JSON.stringify(all));
      for (const [name, runs] of Object.entries(all)) {
        expect(Math.min(...runs.map(({ loop }) => loop)), `event loop, ${name}`).toBeLessThan(MAX_BLOCKED_MS);
        expect(Math.min(...runs.map(({ redis }) => redis)), `Redis, ${name}`).toBeLessThan(MAX_BLOCKED_MS);
      }
    },
  );
}

async function* single<T>(message: T): AsyncGenerator<T> {
  yield message;
}

describe("a large batch in the embedded store", () => {
  largeBatchCases(async () => {
    const directory = await mkdtemp(join(tmpdir(), "recollect-large-"));
    return {
      env: { DATA_DIR: directory },
      [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
    };
  });
});

await describeRedisPrograms("a large batch in Redis", () => {
  largeBatchCases(async () => {
    const redis = await startRedis({ config: { appendfsync: "everysec" } });
    return {
      env: { MEMORY_BACKEND: "redis", REDIS_HOST: redis.host, REDIS_PORT: String(redis.port) },
      url: redis.url,
      [Symbol.asyncDispose]: () => redis[Symbol.asyncDispose](),
    };
  });
});
