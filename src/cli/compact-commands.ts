import process from "node:process";
import { type Command, Option } from "commander";
import type { RunOptions } from "./compact-options.ts";
import type { CompactPlanOptions } from "./compact-plan.ts";
import type { CompactPolicySetOptions } from "./compact-policy.ts";
import { LEVELS, STRATEGIES } from "./compaction-names.ts";
import type { GlobalOptions } from "./global-options.ts";
import { toInteger, toMilliseconds, toNumber } from "./option-values.ts";

/** Declares the commands of `recollect compact`. */
export function addCompactCommands(program: Command, exitCodes: string): void {
  const compact = program
    .command("compact")
    .description("reduce the number of active memories; nothing is lost");
  addPlanCommand(compact, exitCodes);
  addRunCommands(compact, exitCodes);
  addReadCommands(compact, exitCodes);
  addUndoCommand(compact, exitCodes);
  addPolicyCommands(
    compact.command("policy").description("show and change the compaction policy of a namespace"),
    exitCodes,
  );
}

function addPolicyOptions(command: Command): Command {
  return command
    .addOption(new Option("--strategy <strategy>", "what a run does").choices(STRATEGIES))
    .addOption(new Option("--level <level>", "how far a run goes").choices(LEVELS))
    .option("--keep-recent <duration>", "keep memories younger than this, such as 12h", toMilliseconds)
    .option("--keep-important <duration>", "keep important memories younger than this", toMilliseconds)
    .option("--min-importance <number>", "what is less important goes first, 0 to 1", toNumber)
    .option("--max-affected <fraction>", "the most of the memories that a run may change, 0 to 1", toNumber);
}

function addScopeOptions(command: Command): Command {
  return addPolicyOptions(
    command.option("--user <id>", "user_id: only this user (default: each user by itself)"),
  );
}

function addPlanCommand(compact: Command, exitCodes: string): void {
  addScopeOptions(compact.command("plan"))
    .description("show what a compaction would do, without doing it")
    .option("--store", "store the plan, so that compact approve can apply exactly it within 24 hours")
    .addHelpText(
      "after",
      `
In front of a memory, - says that it leaves default reads, > that it stays in the place of others, + that it is created.
Nothing is deleted: what leaves default reads is SUPERSEDED or ARCHIVED, and compact undo brings it back.
${exitCodes}

Example:
  recollect compact plan --user ana --level moderate`,
    )
    .action(async (_options: unknown, command: Command) => {
      const { compactPlan } = await import("./compact-plan.ts");
      process.exitCode = await compactPlan(command.optsWithGlobals<CompactPlanOptions>());
    });
}

function addRunCommands(compact: Command, exitCodes: string): void {
  addScopeOptions(compact.command("run"))
    .description("compact memories, and show the progress")
    .option("--no-wait", "return when the run has been started")
    .addHelpText("after", exitCodes)
    .action(async (_options: unknown, command: Command) => {
      const { compactRun } = await import("./compact-run.ts");
      process.exitCode = await compactRun(command.optsWithGlobals<RunOptions & { readonly wait: boolean }>());
    });
  compact
    .command("approve")
    .description("apply a plan that compact plan --store has printed")
    .argument("<id>", "of the plan")
    .requiredOption("--etag <etag>", "of the plan that was printed")
    .option("--no-wait", "return when it has been approved")
    .addHelpText("after", exitCodes)
    .action(async (id: string, _options: unknown, command: Command) => {
      const { compactApprove } = await import("./compact-run.ts");
      type Options = GlobalOptions & { readonly wait: boolean; readonly etag: string };
      process.exitCode = await compactApprove(id, command.optsWithGlobals<Options>());
    });
  compact
    .command("cancel")
    .description("stop a run between two groups; what it has done stays, and can be undone")
    .argument("<id>", "of the run")
    .addHelpText("after", exitCodes)
    .action(async (id: string, _options: unknown, command: Command) => {
      const { compactCancel } = await import("./compact-run.ts");
      process.exitCode = await compactCancel(id, command.optsWithGlobals<GlobalOptions>());
    });
}

function addReadCommands(compact: Command, exitCodes: string): void {
  compact
    .command("list")
    .description("list runs, newest first")
    .option("--limit <number>", "how many at most (default: all)", toInteger)
    .addHelpText("after", exitCodes)
    .action(async (_options: unknown, command: Command) => {
      const { compactList } = await import("./compact-run.ts");
      process.exitCode = await compactList(
        command.optsWithGlobals<GlobalOptions & { readonly limit?: number }>(),
      );
    });
  compact
    .command("get")
    .description("print a run and its plan")
    .argument("<id>", "of the run")
    .addHelpText("after", exitCodes)
    .action(async (id: string, _options: unknown, command: Command) => {
      const { compactGet } = await import("./compact-plan.ts");
      process.exitCode = await compactGet(id, command.optsWithGlobals<GlobalOptions>());
    });
  compact
    .command("watch")
    .description("show the progress of a run until it ends or awaits approval")
    .argument("<id>", "of the run")
    .addHelpText("after", exitCodes)
    .action(async (id: string, _options: unknown, command: Command) => {
      const { compactWatch } = await import("./compact-watch.ts");
      process.exitCode = await compactWatch(id, command.optsWithGlobals<GlobalOptions>());
    });
}

function addUndoCommand(compact: Command, exitCodes: string): void {
  compact
    .command("undo")
    .description("undo a run, or what it did to one memory")
    .argument("<id>", "of the run")
    .argument("[memory]", "only this memory")
    .addHelpText(
      "after",
      `\nEnds with 1 when memories were changed since, and so stay as they are.\n${exitCodes}`,
    )
    .action(async (id: string, memory: string | undefined, _options: unknown, command: Command) => {
      const { compactUndo } = await import("./compact-run.ts");
      process.exitCode = await compactUndo(id, memory, command.optsWithGlobals<GlobalOptions>());
    });
}

function addPolicyCommands(policy: Command, exitCodes: string): void {
  policy
    .command("get")
    .description("print how the memories of the namespace are compacted")
    .addHelpText("after", exitCodes)
    .action(async (_options: unknown, command: Command) => {
      const { compactPolicyGet } = await import("./compact-policy.ts");
      process.exitCode = await compactPolicyGet(command.optsWithGlobals<GlobalOptions>());
    });
  addPolicyOptions(policy.command("set"))
    .description("replace the policy: what is not given follows the server; for operators")
    .addOption(new Option("--schedule <on|off>", "whether the scheduler runs here").choices(["on", "off"]))
    .option("--etag <etag>", "replace only this version of the policy")
    .addHelpText("after", exitCodes)
    .action(async (_options: unknown, command: Command) => {
      const { compactPolicySet } = await import("./compact-policy.ts");
      process.exitCode = await compactPolicySet(command.optsWithGlobals<CompactPolicySetOptions>());
    });
}
