import { defineConfig } from "vitest/config";

// Only ends what hangs: nothing here depends on how fast the machine is.
const limits = {
  testTimeout: process.env["TEST_LONG"] === "true" ? 1_800_000 : 120_000,
  hookTimeout: 120_000,
};

/**
 * The tests of the service that run once more on Redis. Left out are those of the embedded store (leaks, operations),
 * and those in which no backend has a part: servers, roles, configuration, embedding providers, the program as a client.
 */
const ON_REDIS = [
  "access-statistics",
  "access/tenants",
  "answer-size",
  "bad-input",
  "cache-entries",
  "cache-notation",
  "cache-service",
  "cli",
  "embedding-backlog",
  "embedding-refusal",
  "limits",
  "memory-changes",
  "memory-service",
  "memory-transfer",
  "random-operations",
  "reembedding",
  "replay",
  "transport/overload",
  "unruled-limits",
];

// biome-ignore lint/style/noDefaultExport: vitest reads the default export
export default defineConfig({
  test: {
    globalSetup: ["test/support/redis/global-setup.ts"],
    reporters: ["default"],
    projects: [
      { test: { name: "all", include: ["src/**/*.test.ts", "test/**/*.test.ts"], ...limits } },
      {
        test: {
          name: "on Redis",
          include: ON_REDIS.map((name) => `test/integration/${name}.test.ts`),
          setupFiles: ["test/support/redis/backend-of-run.ts"],
          ...limits,
        },
      },
    ],
  },
});
