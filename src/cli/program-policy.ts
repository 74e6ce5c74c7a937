import process from "node:process";
import { type Command, Option } from "commander";
import { GUARD_STRICTNESS } from "../domain/cache/guard-strictness.ts";
import type { CachePolicySetOptions } from "./cache-policy.ts";
import type { GlobalOptions } from "./global-options.ts";

/** Declares the commands about the cache policy of a namespace. */
export function addPolicyCommands(policy: Command, exitCodes: string): void {
  policy
    .command("get")
    .description("print how strict the guard is in the namespace")
    .addHelpText("after", exitCodes)
    .action(async (_options: unknown, command: Command) => {
      const { cachePolicyGet } = await import("./cache-policy.ts");
      process.exitCode = await cachePolicyGet(command.optsWithGlobals<GlobalOptions>());
    });
  policy
    .command("set")
    .description("change how strict the guard is in the namespace; for operators")
    .addOption(
      new Option(
        "--guard <strictness>",
        "how much of what is similar is refused; server: as CACHE_GUARD says",
      )
        .choices([...GUARD_STRICTNESS, "server"])
        .makeOptionMandatory(),
    )
    .option("--etag <etag>", "change only this version of the policy")
    .addHelpText("after", exitCodes)
    .action(async (_options: unknown, command: Command) => {
      const { cachePolicySet } = await import("./cache-policy.ts");
      process.exitCode = await cachePolicySet(command.optsWithGlobals<CachePolicySetOptions>());
    });
}
