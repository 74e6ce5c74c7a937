import process from "node:process";
import type { Reporter, TestModule } from "vitest/node";

/** Prints the tests that ran and their calls of `expect`, by project, at the end of a run; see count-assertions.ts. */
// biome-ignore lint/style/noDefaultExport: vitest reads the default export
export default class AssertionCounts implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const rows = [...Map.groupBy(modules, ({ project }) => project.name)].map(([name, ofProject]) => {
      const ran = ofProject
        .flatMap(({ children }) => [...children.allTests()])
        .filter((test) => ["passed", "failed"].includes(test.result().state));
      const assertions = ran.reduce((sum, test) => sum + (test.meta().assertions ?? 0), 0);
      return `  ${name.padEnd(12)} ${String(ran.length).padStart(6)} tests ${String(assertions).padStart(9)} assertions`;
    });
    process.stdout.write(`\n What ran\n${rows.join("\n")}\n`);
  }
}
