import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, it } from "vitest";
import { CacheService } from "#gen/recollect/v1/cache_pb.js";
import { MemoryService } from "#gen/recollect/v1/memory_pb.js";
import { refusalOf } from "../support/errors.ts";
import { healthOf } from "../support/health.ts";
import { startFaulty } from "../support/redis/faulty.ts";
import { describeRedisPrograms } from "../support/redis/run.ts";
import { eventually } from "../support/redis/wait.ts";
import type { TestApp } from "../support/start-app.ts";

/** These tests measure time, so they run in `make test-long` only. */
const isLong = process.env["TEST_LONG"] === "true";
/** Tolerance for other processes on the machine. */
const SLACK_MS = 300;

const lookUp = async (app: TestApp, text: string): Promise<string | undefined> => {
  const { outcome } = await app.cache.lookupCache({
    prompt: { prompt: { case: "text", value: text } },
    scope: { model: "m" },
  });
  return outcome.case;
};

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

function heapUsed(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

async function measured(work: Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work;
  return performance.now() - start;
}

await describeRedisPrograms("a long outage of Redis", () => {
  it.skipIf(!isLong)(
    "turns all services but the cache to NOT_SERVING after ten seconds, and back after the outage",
    async () => {
      await using faulty = await startFaulty();
      const { app, redis } = faulty;
      const memory = MemoryService.typeName;
      const states = (): Promise<(string | undefined)[]> =>
        Promise.all(["", memory, CacheService.typeName].map((service) => healthOf(app.grpcAddress, service)));
      expect(await states()).toEqual(["SERVING", "SERVING", "SERVING"]);
      const outages = [
        [() => redis.kill(), () => redis.restart()],
        [() => redis.pause(), () => redis.resume()],
      ] as const;
      for (const [begin, end] of outages) {
        await begin();
        const took = await measured(
          eventually("NOT_SERVING", async () => (await healthOf(app.grpcAddress, memory)) === "NOT_SERVING"),
        );
        // Since the last successful check, which is up to one interval and one unanswered check earlier.
        expect(took).toBeGreaterThan(8000);
        expect(took).toBeLessThan(18_000);
        expect(await states()).toEqual(["NOT_SERVING", "NOT_SERVING", "SERVING"]);
        await end();
        await eventually("SERVING", async () => (await states()).every((state) => state === "SERVING"));
      }
    },
  );

  it.skipIf(!isLong)(
    "delays reads and lookups up to their deadlines until it is detected, and not afterwards",
    async () => {
      await using faulty = await startFaulty();
      const { app, redis } = faulty;
      await app.memory.createMemory({ memory: { id: "a", text: "a memory" } });
      redis.pause();
      const read = (timeoutMs?: number) =>
        refusalOf(app.memory.getMemory({ id: "a" }, timeoutMs === undefined ? {} : { timeoutMs }));
      expect(await measured(read(1000))).toBeLessThan(1000 + SLACK_MS);
      expect(await measured(lookUp(app, "a question"))).toBeLessThan(800 + SLACK_MS);
      // The command timeout, after which the connection is closed, plus one connection attempt of the same length.
      expect(await measured(read())).toBeLessThan(10_000 + SLACK_MS);
      expect(await measured(read())).toBeLessThan(SLACK_MS);
      expect(await measured(lookUp(app, "a question"))).toBeLessThan(SLACK_MS);
      redis.resume();
      await eventually("a service that serves again", () =>
        app.memory.getMemory({ id: "a" }).then(
          () => true,
          () => false,
        ),
      );
    },
  );

  it.skipIf(!isLong)("does not grow memory, however many calls arrive", async () => {
    // So that only the bounds end pending calls.
    await using faulty = await startFaulty({ timeouts: { socketTimeoutMs: 300_000 } });
    const { app, redis } = faulty;
    await lookUp(app, "a question");
    redis.pause();
    const before = heapUsed();
    const end = performance.now() + 30_000;
    let lookups = 0;
    const ask = async (): Promise<void> => {
      while (performance.now() < end) {
        lookups += 1;
        await lookUp(app, `question ${lookups}`);
      }
    };
    await Promise.all(Array.from({ length: 500 }, ask));
    const grown = heapUsed() - before;
    redis.resume();
    // Beyond the bound, with some 160 MB in memory, calls are refused immediately.
    expect(lookups).toBeGreaterThan(1000);
    expect(grown).toBeLessThan(256 * 1024 * 1024);
    await eventually("a service that serves again", () =>
      app.memory.listMemories({}).then(
        () => true,
        () => false,
      ),
    );
  });
});
