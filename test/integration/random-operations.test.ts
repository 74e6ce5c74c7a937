import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createHashingEmbedder } from "../../src/adapters/hashing/embedder.ts";
import { onRedis } from "../support/backend-of-run.ts";
import { NOW } from "../support/builders.ts";
import { currentEtag, GRPC_TENANT, grpcAnswer } from "../support/model/grpc-service.ts";
import { newRunCounts, type RunOptions, runOperations, type Tested } from "../support/model/run.ts";
import { runRandomly } from "../support/model/shorten.ts";
import { COUNTS } from "../support/scale.ts";
import { startApp, type TestApp } from "../support/start-app.ts";

const OPTIONS: RunOptions = {
  embedder: createHashingEmbedder(384),
  cache: {
    maxEntries: 5,
    policy: "ADAPTIVE",
    defaultTtlMs: 3_600_000,
    similarityThreshold: 0.85,
    alignedThreshold: 0.5,
  },
  maxRevisions: 3,
  tenantOf: () => GRPC_TENANT,
};

describe("random operations through the gRPC server", () => {
  const runs = onRedis() ? COUNTS.grpcRunsOnRedis : COUNTS.grpcRuns;

  it(`are answered as the reference answers them, in ${runs} runs with restarts`, async () => {
    const counts = newRunCounts();
    await runRandomly({ level: { ports: false }, runs, seed: 20260101 }, async (operations) => {
      await using tested = await startTested();
      await runOperations(operations, tested, OPTIONS, counts);
    });
    // Operations that are all refused, or rankings that cannot be compared, would prove nothing.
    expect(counts.operations).toBeGreaterThan(runs * 25);
    expect(counts.refused).toBeLessThan(0.4 * counts.operations);
    expect(counts.replayed).toBeGreaterThan(runs);
    expect(counts.duplicates).toBeGreaterThan(runs / 2);
    expect(counts.comparableRankings).toBeGreaterThan(counts.rankings / 2);
    expect(counts.rankings).toBeGreaterThan(runs);
    expect(counts.imported).toBeGreaterThan(runs * 5);
    expect(counts.changes).toBeGreaterThan(runs * 5);
    expect(counts.exported).toBeGreaterThan(runs * 5);
    expect(counts.restored).toBeGreaterThan(runs / 8);
    expect(counts.revisions).toBeGreaterThan(runs / 8);
  });
});

/** A server with its own data and a clock that is set by the run. */
async function startTested(): Promise<Tested & AsyncDisposable> {
  const dataDir = await mkdtemp(join(tmpdir(), "recollect-random-"));
  let present = NOW;
  const start = (): Promise<TestApp> =>
    startApp({
      dataDir,
      env: {
        CACHE_MAX_ENTRIES: String(OPTIONS.cache.maxEntries),
        MEMORY_CHANGE_RETENTION_DAYS: "3650",
        MEMORY_MAX_REVISIONS: String(OPTIONS.maxRevisions),
      },
      overrides: {
        clock: { now: () => present },
        embedder: OPTIONS.embedder,
        // Watches are silent as soon as they have given what there is.
        watchSleep: async () => undefined,
      },
      // Long enough that a slow machine causes no miss; the model knows plain TTLs.
      configure: (config) => ({
        ...config,
        cache: { ...config.cache, lookupDeadlineMs: 60_000, adaptiveTtl: false },
      }),
    });
  let app = await start();
  return {
    answer: (call, now) => {
      present = now;
      return grpcAnswer(app, call);
    },
    etagOf: (asked, now) => {
      present = now;
      return currentEtag(app, asked);
    },
    restart: async () => {
      await app[Symbol.asyncDispose]();
      app = await start();
    },
    [Symbol.asyncDispose]: async () => {
      await app[Symbol.asyncDispose]();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
