import process from "node:process";
import type { Command } from "commander";
import type { GlobalOptions } from "./global-options.ts";
import type { MemoryRestoreOptions } from "./memory-restore.ts";
import { toInteger } from "./option-values.ts";

/** Declares the commands about earlier versions of a memory. */
export function addHistoryCommands(memory: Command, exitCodes: string): void {
  memory
    .command("history")
    .description("show the versions of a memory, newest first, and what each of them changed")
    .argument("<id>", "its id")
    .addHelpText(
      "after",
      `
With --json: the earlier versions only, a Revision of the API a line.
${exitCodes}`,
    )
    .action(async (id: string, _options: unknown, command: Command) => {
      const { memoryHistory } = await import("./memory-history.ts");
      process.exitCode = await memoryHistory(id, command.optsWithGlobals<GlobalOptions>());
    });
  memory
    .command("restore")
    .description("make a memory active again, with its content or with that of an earlier version")
    .argument("<id>", "its id")
    .option(
      "--revision <number>",
      "the version, as history numbers them (default: the present content)",
      toInteger,
    )
    .addHelpText(
      "after",
      `
What replaced the memory stays as it is.
${exitCodes}

Example:
  recollect memory restore --revision 2 m1`,
    )
    .action(async (id: string, _options: unknown, command: Command) => {
      const { memoryRestore } = await import("./memory-restore.ts");
      process.exitCode = await memoryRestore(id, command.optsWithGlobals<MemoryRestoreOptions>());
    });
}
