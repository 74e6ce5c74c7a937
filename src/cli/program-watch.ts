import process from "node:process";
import type { Command } from "commander";
import type { MemoryWatchOptions } from "./memory-watch.ts";

/** Declares `memory watch`. */
export function addWatchCommand(memory: Command, exitCodes: string): void {
  memory
    .command("watch")
    .description("print each change of a namespace, until it is interrupted")
    .option("--from <token>", "continue behind the change of this token (default: from now on)")
    .addHelpText(
      "after",
      `
At its end it prints the token of the last change to standard error. --json prints WatchMemoriesResponse, each with its
token. A token is good as long as the server keeps the changes behind it.
${exitCodes}

Example:
  recollect --json memory watch | while read -r change; do ./mirror "$change"; done`,
    )
    .action(async (_options: unknown, command: Command) => {
      const { memoryWatch } = await import("./memory-watch.ts");
      process.exitCode = await memoryWatch(command.optsWithGlobals<MemoryWatchOptions>());
    });
}
