import { defineConfig } from "vitest/config";

// biome-ignore lint/style/noDefaultExport: vitest reads the default export
export default defineConfig({
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    globalSetup: ["test/support/redis/global-setup.ts"],
    reporters: ["default"],
    // Only ends what hangs: nothing here depends on how fast the machine is.
    testTimeout: process.env["TEST_LONG"] === "true" ? 1_800_000 : 120_000,
    hookTimeout: 120_000,
  },
});
