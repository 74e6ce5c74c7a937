import process from "node:process";
import { CommanderError } from "commander";
import { EXIT_CODE } from "./exit-code.ts";
import { printError, tolerateClosedPipes } from "./output.ts";
import { createProgram } from "./program.ts";

/**
 * Runs one command line and sets `process.exitCode`, so that output is flushed and open work completes. Never rejects:
 * errors are printed to standard error, with exit code 2.
 */
export async function run(argv: readonly string[] = process.argv): Promise<void> {
  tolerateClosedPipes();
  const program = createProgram();
  try {
    await program.parseAsync([...argv]);
  } catch (error) {
    if (error instanceof CommanderError) {
      // Commander has already written its message or the help.
      process.exitCode = error.exitCode === 0 ? EXIT_CODE.ok : EXIT_CODE.error;
      return;
    }
    process.exitCode = EXIT_CODE.error;
    const { describeError } = await import("./errors.ts");
    const { address } = program.opts<{ address: string }>();
    for (const line of describeError(error, address)) printError(line);
  }
}
