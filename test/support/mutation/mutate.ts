import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";

const ROOT = join(import.meta.dirname, "..", "..", "..");

/** One change of a source file: from `start` to `end`, in characters, stands the replacement. */
export interface Mutation {
  /** Path from the root of the project. */
  readonly file: string;
  readonly start: number;
  readonly end: number;
  readonly replacement: string;
}

/** How a suite ended over a mutated source. */
export interface MutantEnd {
  readonly passed: number;
  /** Names of the tests that failed; after the first one the suite stops. */
  readonly failed: readonly string[];
}

/** Runs a suite of test/contract in a process of its own, over the source with this change. */
export async function runMutant(mutation: Mutation, suite: string): Promise<MutantEnd> {
  const folder = await mkdtemp(join(tmpdir(), "recollect-mutant-"));
  try {
    const report = join(folder, "report.json");
    const args = [
      ...["run", suite, "--config", join(import.meta.dirname, "vitest.config.ts"), "--root", ROOT],
      ...["--bail", "1", "--reporter", "json", "--outputFile", report],
    ];
    const child = spawn(process.execPath, [join(ROOT, "node_modules", "vitest", "vitest.mjs"), ...args], {
      cwd: ROOT,
      env: { PATH: process.env["PATH"], MUTATION: JSON.stringify(mutation) },
      stdio: "ignore",
    });
    await new Promise((resolve, reject) => child.once("close", resolve).once("error", reject));
    const { numPassedTests, testResults } = JSON.parse(await readFile(report, "utf8")) as Report;
    const tests = testResults.flatMap(({ assertionResults }) => assertionResults);
    return {
      passed: numPassedTests,
      failed: tests.filter(({ status }) => status === "failed").map(({ fullName }) => fullName),
    };
  } finally {
    await rm(folder, { recursive: true });
  }
}

interface Report {
  readonly numPassedTests: number;
  readonly testResults: {
    readonly assertionResults: { readonly status: string; readonly fullName: string }[];
  }[];
}
