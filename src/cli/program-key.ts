import process from "node:process";
import { type Command, Option } from "commander";
import { ROLES } from "../domain/access/tenancy.ts";
import type { KeyCreateOptions } from "./key-create.ts";
import { collectChoice } from "./option-values.ts";

/** Declares the commands about API keys. */
export function addKeyCommands(key: Command): void {
  key
    .command("create")
    .description("make a new API key and the row of AUTH_API_KEYS_FILE for it; calls no server")
    .requiredOption("--tenant <name>", "the tenant that it gives access to")
    .requiredOption("--principal <name>", "its owner: a service or a person")
    .addOption(
      new Option("--role <role>", "what it may do; repeat for several, none includes another")
        .choices(ROLES)
        .argParser(collectChoice(ROLES))
        .default([], "none"),
    )
    .option("--debug", "may also see and change cache entries of all cache scopes")
    .option("--file <path>", "add the row to this file, which is created if missing")
    .addHelpText(
      "after",
      `
The key is printed once, on standard output; only its SHA-256 is stored. Without --file the row is printed to standard
error. A running server reloads a changed file within seconds.

Example:
  recollect key create --tenant acme --principal shop --role reader --role writer --file keys.yaml`,
    )
    .action(async (_options: unknown, command: Command) => {
      const { keyCreate } = await import("./key-create.ts");
      process.exitCode = keyCreate(command.optsWithGlobals<KeyCreateOptions>());
    });
}
