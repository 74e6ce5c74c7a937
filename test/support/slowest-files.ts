import process from "node:process";
import type { Reporter, TestModule } from "vitest/node";

const COUNT = 10;

/** Prints the slowest test files at the end of a run: time of the tests, without their imports. */
// biome-ignore lint/style/noDefaultExport: vitest reads the default export
export default class SlowestFiles implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const slowest = modules
      .map((module) => ({
        seconds: module.diagnostic().duration / 1000,
        name: `${module.relativeModuleId} (${module.project.name})`,
      }))
      .sort((a, b) => b.seconds - a.seconds)
      .slice(0, COUNT);
    const lines = slowest.map(({ seconds, name }) => `  ${seconds.toFixed(1).padStart(6)} s  ${name}`);
    process.stdout.write(`\n Slowest files\n${lines.join("\n")}\n`);
  }
}
