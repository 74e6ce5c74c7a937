import process from "node:process";
import { defineConfig } from "vitest/config";
import type { Mutation } from "./mutate.ts";

const { file, start, end, replacement } = JSON.parse(process.env["MUTATION"] ?? "") as Mutation;

/** Runs a suite over a source with one place changed; the source on disk stays as it is. See mutate.ts. */
// biome-ignore lint/style/noDefaultExport: vitest reads the default export
export default defineConfig({
  plugins: [
    {
      name: "mutation",
      enforce: "pre",
      transform: (code, id) =>
        id.endsWith(`/${file}`) ? code.slice(0, start) + replacement + code.slice(end) : undefined,
    },
  ],
  test: {
    include: ["test/contract/**/*.test.ts"],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // It does not know of the mutation: what one run changed would be found by the next.
    fsModuleCache: false,
  },
});
