import { existsSync, statfsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

/**
 * Files of tests are kept in memory, where Linux has room for them: stores wait for the disk at each write, which was half
 * the time of their contracts, and nine tenths beside other work (measured: 18 to 100 s on disk, 10 to 26 s in memory).
 * `make test-long` writes to the disk.
 */
const MEMORY = "/dev/shm";
const NEEDED_BYTES = 2 * 1024 ** 3;
if (process.env["TEST_LONG"] !== "true" && process.env["TMPDIR"] === undefined && existsSync(MEMORY)) {
  const { bavail, bsize } = statfsSync(MEMORY);
  if (bavail * bsize >= NEEDED_BYTES) process.env["TMPDIR"] = MEMORY;
}

// Only for hanging tests: no test depends on the speed of the machine.
const limits = {
  testTimeout: process.env["TEST_LONG"] === "true" ? 1_800_000 : 120_000,
  hookTimeout: 120_000,
  setupFiles: ["test/support/count-assertions.ts"],
};

/**
 * The integration tests that also run on Redis. Excluded are those of the embedded store (leaks, operations), and those
 * that are independent of the backend: servers, roles, configuration, embedding providers, the CLI.
 */
const ON_REDIS = [
  "access-statistics",
  "access/tenants",
  "access/cache-attacks",
  "answer-size",
  "invalid-requests",
  "cache-entries",
  "cache-eviction",
  "cache-feedback",
  "cache-invalidation",
  "cache-lifetime",
  "cache-notation",
  "cache-guard",
  "cache-scope",
  "cache-service",
  "cli",
  "cli-compaction",
  "compaction",
  "compaction-undo",
  "pending-embeddings",
  "embedding-refusal",
  "limits",
  "local-embedder",
  "memory-changes",
  "memory-history",
  "memory-service",
  "memory-transfer",
  "random-operations",
  "reembedding",
  "replay",
  "revisions",
  "transport/overload",
  "watch-memories",
  "write-guards",
  "limits-without-rule",
];

/** Slow ones that a contributor needs less often: `make test-all` runs them. */
const SLOW_CONTRACTS = ["test/contract/memory/compression.redis.test.ts"];
const SLOW_INTEGRATION = ["compaction-undo", "tls/files", "access/key-file"].map(
  (name) => `test/integration/${name}.test.ts`,
);

/**
 * The files of a project share their modules: importing the service anew for each file took more than half of the
 * processor time of `make test` (measured: unit tests 95 s with isolation, 55 s without). Tests leave nothing behind in
 * modules, and what replaces a part of the process (faults, clusters) stays isolated.
 */
const shared = { ...limits, isolate: false };

/** Tests that stop, slow down and restart servers leave one processor to them. */
const withServers = {
  ...limits,
  maxWorkers: Math.max(1, availableParallelism() - 1),
  // vitest asks for it where numbers of workers differ.
  sequence: { groupOrder: 1 },
};

// biome-ignore lint/style/noDefaultExport: vitest reads the default export
export default defineConfig({
  test: {
    // One for each processor, and two at least: tests wait for disks, Redis and other processes.
    maxWorkers: Math.max(2, availableParallelism()),
    globalSetup: ["test/support/redis/global-setup.ts"],
    reporters: ["default", "./test/support/slowest-files.ts", "./test/support/assertion-counts.ts"],
    projects: [
      // `make test`
      { test: { name: "unit", include: ["src/**/*.test.ts", "test/static/**/*.test.ts"], ...shared } },
      {
        test: {
          name: "contract",
          include: ["test/contract/**/*.test.ts"],
          exclude: SLOW_CONTRACTS,
          ...shared,
        },
      },
      {
        test: {
          name: "integration",
          include: ["test/integration/**/*.test.ts"],
          exclude: SLOW_INTEGRATION,
          ...shared,
        },
      },
      // `make test-all` adds these
      { test: { name: "slow", include: [...SLOW_CONTRACTS, ...SLOW_INTEGRATION], ...shared } },
      {
        test: {
          name: "on Redis",
          include: ON_REDIS.map((name) => `test/integration/${name}.test.ts`),
          ...shared,
          setupFiles: [...shared.setupFiles, "test/support/redis/backend-of-run.ts"],
        },
      },
      { test: { name: "faults", include: ["test/faults/**/*.test.ts"], ...withServers } },
      { test: { name: "cluster", include: ["test/cluster/**/*.test.ts"], ...withServers } },
      { test: { name: "support", include: ["test/support/**/*.test.ts"], ...withServers } },
    ],
  },
});
