import process from "node:process";
import { Argument, Command, Option } from "commander";
import { GUARD_STRICTNESS } from "../domain/cache/guard-strictness.ts";
import { VERSION } from "../version.ts";
import type { CacheInvalidateOptions } from "./cache-invalidate.ts";
import type { CacheLookupOptions } from "./cache-lookup.ts";
import type { ReportedOutcome } from "./cache-report.ts";
import type { CacheStoreOptions } from "./cache-store.ts";
import { addCompactCommands } from "./compact-commands.ts";
import type { CheckOptions } from "./config-check.ts";
import type { SourceOptions } from "./config-sources.ts";
import type { GlobalOptions } from "./global-options.ts";
import type { MemoryAddOptions } from "./memory-add.ts";
import type { MemoryExportOptions } from "./memory-export.ts";
import type { MemoryListOptions } from "./memory-list.ts";
import type { MemorySearchOptions } from "./memory-search.ts";
import {
  collect,
  collectChoice,
  collectSetting,
  toInteger,
  toMilliseconds,
  toNumber,
  toTime,
} from "./option-values.ts";
import { addHistoryCommands } from "./program-history.ts";
import { addKeyCommands } from "./program-key.ts";
import { addPolicyCommands } from "./program-policy.ts";
import { addWatchCommand } from "./program-watch.ts";
import type { SetupOptions } from "./redis-setup.ts";

const DEFAULT_ADDRESS = "localhost:50051";
const KINDS = ["episodic", "semantic", "procedural", "message", "summary"];
const EXIT_CODES = `
Exit codes:
  0  it worked, or the cache hit
  1  the cache missed, a memory is not there, or some of the items were refused
  2  it did not work: no server, an error, a wrong option
  130  interrupted by Ctrl-C; 143: by SIGTERM`;
const SETTINGS_HELP = `
Flags win over environment variables, these over .env, that over the YAML file, and that over the defaults.
docs/configuration.md lists all settings. SIGHUP makes a running server read them again.

Example:
  recollect serve --set GRPC_PORT=6000 --set cache.aligned_threshold=0.6`;

/**
 * Declares every command with its arguments and options. The implementation of a command is loaded when it runs, so
 * that help and client commands start fast. Errors are thrown; see run.ts.
 */
export function createProgram(): Command {
  const program = new Command("recollect")
    .description("Memory and a semantic cache for LLM applications, served over gRPC")
    .version(VERSION)
    .exitOverride()
    .showHelpAfterError("(see --help)")
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      outputError: (message, write) => write(message.replace(/^error: /, "recollect: ")),
    })
    .option(
      "--address <host:port>",
      "gRPC endpoint that client commands call; https://host:port for TLS (RECOLLECT_ADDRESS)",
      // An empty variable counts as unset, as in the server configuration.
      process.env["RECOLLECT_ADDRESS"] || DEFAULT_ADDRESS,
    )
    .addOption(
      new Option(
        "--api-key <key>",
        // Not declared as the default of the option, because help would print it.
        "key that client commands call with; rather set RECOLLECT_API_KEY, which other users cannot see",
      ),
    )
    .option("--tls-ca <file>", "who signed the server's certificate, PEM (RECOLLECT_TLS_CA_FILE)")
    .option("--tls-cert <file>", "certificate to show to the server, PEM (RECOLLECT_TLS_CERT_FILE)")
    .option("--tls-key <file>", "its private key, PEM (RECOLLECT_TLS_KEY_FILE)")
    .addOption(new Option("--namespace <name>", "namespace to read and write").default("", "default"))
    .option("--json", "print JSON, one object a line")
    .option("--quiet", "no progress and no counts: only results and failures")
    .addHelpText("after", EXIT_CODES);
  program
    .command("serve")
    .description("start the server; configured by flags, environment variables, .env and YAML")
    .addOption(setOption())
    .option("--config <path>", "the YAML file; the same as --set RECOLLECT_CONFIG=<path>")
    .addHelpText("after", SETTINGS_HELP)
    .action(async (_options: unknown, command: Command) => {
      const { serve } = await import("./serve.ts");
      await serve(command.opts<SourceOptions>());
    });
  program
    .command("config")
    .description("check the configuration of the server")
    .command("check")
    .description("print every setting that serve would start with, and its source")
    .addOption(setOption())
    .option("--config <path>", "the YAML file; the same as --set RECOLLECT_CONFIG=<path>")
    .addHelpText("after", `${SETTINGS_HELP}\n\nSecrets are masked. Ends with 2 when serve would not start.`)
    .action(async (_options: unknown, command: Command) => {
      const { configCheck } = await import("./config-check.ts");
      process.exitCode = configCheck(command.optsWithGlobals<CheckOptions>());
    });
  addKeyCommands(program.command("key").description("make API keys"));
  addMemoryCommands(program.command("memory").description("store memories and find them again"));
  addCacheCommands(program.command("cache").description("store answers and look them up"));
  addCompactCommands(program, EXIT_CODES);
  addIndexCommands(program.command("index").description("show and rebuild the search indexes"));
  addServerCommands(program.command("server").description("look at the server"));
  addRedisCommands(program.command("redis").description("prepare the Redis that a server uses"));
  return program;
}

// biome-ignore lint/complexity/noExcessiveLinesPerFunction: declares commands
function addMemoryCommands(memory: Command): void {
  memory
    .command("add")
    .description("store a text, documents or lines of JSON as memories; prints the id, or a count")
    .argument("[text...]", "the text to store; - reads standard input")
    .option("--file <path...>", "Markdown or plain text to split into passages, one memory each")
    .option("--jsonl <path>", "lines of JSON, each a Memory of the API; - reads standard input")
    .option("--user <id>", "user_id: whom it is about")
    .option("--session <id>", "session_id: the conversation it belongs to")
    .option("--author <name>", "author: who said it")
    .addOption(new Option("--kind <kind>", "kind: what it is").choices(KINDS))
    .addOption(listOption("--tag <tag>", "a label; repeat for several"))
    .option("--importance <number>", "importance, 0 to 1", toNumber)
    .option("--ttl <duration>", "how long it lasts, such as 90s, 12h or 7d", toMilliseconds)
    .option("--event-time <time>", "event_time: when it happened, such as 2026-01-31", toTime)
    .option("--valid-from <time>", "valid_from: from when on it holds", toTime)
    .option("--valid-until <time>", "valid_until: until when it holds", toTime)
    .addOption(listOption("--supersedes <id>", "a memory that the text replaces; repeat for several"))
    .addOption(
      new Option("--on-duplicate <action>", "what to do with a duplicate").choices([
        "return-existing",
        "allow",
        "refuse",
      ]),
    )
    .addHelpText(
      "after",
      `
With --jsonl the options are defaults for missing fields. By default a duplicate text is not stored again, so an
interrupted command can simply be repeated.
${EXIT_CODES}

Examples:
  recollect memory add --user ana "Ana is allergic to nuts"
  recollect memory add --file docs/*.md --tag docs
  recollect memory add --supersedes ID "Ana is allergic to nuts and milk"
  recollect --namespace imported memory add --jsonl memories.jsonl`,
    )
    .action(async (words: string[], _options: unknown, command: Command) => {
      const { memoryAdd } = await import("./memory-add.ts");
      process.exitCode = await memoryAdd(words, command.optsWithGlobals<MemoryAddOptions>());
    });
  addFilterOptions(memory.command("search"))
    .description("find the memories that answer a query best")
    .argument("<query...>", "a question or a few words")
    .option("--limit <number>", "how many at most, up to 100 (default: 10)", toInteger)
    .addOption(
      new Option("--mode <mode>", "search mode (default: hybrid)").choices(["hybrid", "vector", "keyword"]),
    )
    .option("--min-similarity <number>", "omit results below this similarity, -1 to 1", toNumber)
    .option("--diversity <number>", "how much results should differ from each other, 0 to 1", toNumber)
    .option("--include-superseded", "also find memories that others have superseded")
    .option("--as-of <time>", "search the memories of this time, such as 2026-01-31", toTime)
    .option("--neighbors <number>", "show as many memories of the session on each side, up to 5", toInteger)
    .option("--explain", "show the parts of each score, and the search plan")
    .addHelpText("after", `${EXIT_CODES}\n\nA search without results exits with 0.`)
    .action(async (words: string[], _options: unknown, command: Command) => {
      const { memorySearch } = await import("./memory-search.ts");
      process.exitCode = await memorySearch(words, command.optsWithGlobals<MemorySearchOptions>());
    });
  memory
    .command("get")
    .description("print memories by id")
    .argument("<id...>", "ids, as the other commands print them")
    .addHelpText("after", EXIT_CODES)
    .action(async (ids: string[], _options: unknown, command: Command) => {
      const { memoryGet } = await import("./memory-get.ts");
      process.exitCode = await memoryGet(ids, command.optsWithGlobals<GlobalOptions>());
    });
  addFilterOptions(memory.command("list"))
    .description("list memories, newest first")
    .option("--limit <number>", "how many at most (default: all)", toInteger)
    .option("--as-of <time>", "list the memories of this time, such as 2026-01-31", toTime)
    .addHelpText("after", EXIT_CODES)
    .action(async (_options: unknown, command: Command) => {
      const { memoryList } = await import("./memory-list.ts");
      process.exitCode = await memoryList(command.optsWithGlobals<MemoryListOptions>());
    });
  addHistoryCommands(memory, EXIT_CODES);
  addFilterOptions(memory.command("export"))
    .description("write memories in any state as lines of JSON, oldest first")
    .argument("[file]", "output file; - is standard output", "-")
    .addHelpText(
      "after",
      `
Until the export is complete the file is FILE.part; an interrupted export is resumed there when the command is
repeated.
${EXIT_CODES}`,
    )
    .action(async (file: string, _options: unknown, command: Command) => {
      const { memoryExport } = await import("./memory-export.ts");
      process.exitCode = await memoryExport(file, command.optsWithGlobals<MemoryExportOptions>());
    });
  memory
    .command("import")
    .description("store lines that an export wrote, with their ids and times")
    .argument("<file>", "input file; - is standard input")
    .addHelpText(
      "after",
      `
Existing ids are skipped: an interrupted import is resumed by repeating the command.
${EXIT_CODES}

Example:
  recollect memory export - | recollect --address other:50051 memory import -`,
    )
    .action(async (file: string, _options: unknown, command: Command) => {
      const { memoryImport } = await import("./memory-import.ts");
      process.exitCode = await memoryImport(file, command.optsWithGlobals<GlobalOptions>());
    });
  addWatchCommand(memory, EXIT_CODES);
}

/** Adds the filter options; see toFilter. */
function addFilterOptions(command: Command): Command {
  return command
    .option("--user <id>", "user_id: exactly this user")
    .option("--session <id>", "session_id: exactly this session")
    .addOption(
      new Option("--kind <kind>", "any of these kinds; repeat for several")
        // After choices(), whose own parser keeps the last value only.
        .choices(KINDS)
        .argParser(collectChoice(KINDS))
        .default([], "all"),
    )
    .addOption(listOption("--tag <tag>", "with this tag; repeat to require several"));
}

function addCacheCommands(cache: Command): void {
  cache
    .command("store")
    .description("store an answer; prints the id of its entry")
    .argument("[prompt...]", "the question that was answered")
    .option("--prompt <text>", "the question, instead of the argument")
    .option("--model <name>", "the model that answered; required unless --decision is given")
    .option("--system <text>", "the system prompt it was given")
    .option("--decision <decision_id>", "the lookup that missed, instead of --model and --system")
    .option("--response <text>", "the answer; by default read from standard input")
    .option("--ttl <duration>", "how long it may be served, up to 24h", toMilliseconds)
    .addOption(listOption("--tag <tag>", "a label to invalidate by; repeat for several"))
    .addHelpText("after", EXIT_CODES)
    .action(async (words: string[], _options: unknown, command: Command) => {
      const { cacheStore } = await import("./cache-store.ts");
      process.exitCode = await cacheStore(words, command.optsWithGlobals<CacheStoreOptions>());
    });
  cache
    .command("lookup")
    .description("look for a stored answer and print it")
    .argument("<prompt...>", "the question")
    .requiredOption("--model <name>", "the model that would answer")
    .option("--system <text>", "the system prompt it would be given")
    .option("--threshold <number>", "hard floor of the similarity of semantic matches, 0 to 1", toNumber)
    .addOption(
      new Option("--strategy <strategy>", "how to match (default: the server's)").choices([
        "hybrid",
        "exact",
        "semantic",
      ]),
    )
    .addOption(
      new Option(
        "--guard <strictness>",
        "how much of what is similar is refused; not looser than the namespace's (default: its own)",
      ).choices(GUARD_STRICTNESS),
    )
    .option("--max-age <duration>", "serve no answer older than this, such as 90s or 12h", toMilliseconds)
    .addHelpText(
      "after",
      `
The response is written to standard output, the decision to standard error.
${EXIT_CODES}

Example:
  recollect cache lookup --model gpt-5 "$question" || ask-the-model "$question" |
    recollect cache store --model gpt-5 "$question"`,
    )
    .action(async (words: string[], _options: unknown, command: Command) => {
      const { cacheLookup } = await import("./cache-lookup.ts");
      process.exitCode = await cacheLookup(words, command.optsWithGlobals<CacheLookupOptions>());
    });
  addReportCommand(cache);
  addInvalidateCommand(cache);
  addStatsCommand(cache);
  const policy = cache.command("policy").description("show and change the cache policy of a namespace");
  addPolicyCommands(policy, EXIT_CODES);
}

function addReportCommand(cache: Command): void {
  cache
    .command("report")
    .description("report whether a served answer was right; a wrong one is not served again for that prompt")
    .argument("<decision_id>", "of the lookup that served it (cache lookup --json)")
    .addArgument(new Argument("<outcome>", "whether it was right").choices(["correct", "incorrect", "stale"]))
    .addHelpText("after", EXIT_CODES)
    .action(async (decisionId: string, outcome: ReportedOutcome, _options: unknown, command: Command) => {
      const { cacheReport } = await import("./cache-report.ts");
      process.exitCode = await cacheReport(decisionId, outcome, command.optsWithGlobals<GlobalOptions>());
    });
}

function addInvalidateCommand(cache: Command): void {
  cache
    .command("invalidate")
    .description("invalidate the entries that meet all conditions; without a condition, all of the namespace")
    .option("--model <name>", "entries of this model")
    .option("--knowledge-version <version>", "entries of exactly this knowledge version")
    .addOption(listOption("--tag <tag>", "entries with this tag; repeat for any of several"))
    .option("--validate-only", "only count them")
    .addHelpText("after", EXIT_CODES)
    .action(async (_options: unknown, command: Command) => {
      const { cacheInvalidate } = await import("./cache-invalidate.ts");
      process.exitCode = await cacheInvalidate(command.optsWithGlobals<CacheInvalidateOptions>());
    });
}

function addStatsCommand(cache: Command): void {
  cache
    .command("stats")
    .description("print entries, bytes and lookup counts of the cache")
    .addHelpText("after", EXIT_CODES)
    .action(async (_options: unknown, command: Command) => {
      const { cacheStats } = await import("./cache-stats.ts");
      process.exitCode = await cacheStats(command.optsWithGlobals<GlobalOptions>());
    });
}

function addIndexCommands(index: Command): void {
  index
    .command("info")
    .description("print size and state of the search indexes, over all tenants")
    .addHelpText("after", EXIT_CODES)
    .action(async (_options: unknown, command: Command) => {
      const { indexInfo } = await import("./index-info.ts");
      process.exitCode = await indexInfo(command.optsWithGlobals<GlobalOptions>());
    });
  index
    .command("rebuild")
    .description("rebuild all search indexes from the stored data, while the server keeps serving")
    .addHelpText(
      "after",
      `
Stored data does not change. The old indexes stay in use until the new ones are complete, also after Ctrl-C.
${EXIT_CODES}`,
    )
    .action(async (_options: unknown, command: Command) => {
      const { indexRebuild } = await import("./index-rebuild.ts");
      process.exitCode = await indexRebuild(command.optsWithGlobals<GlobalOptions>());
    });
}

function addServerCommands(server: Command): void {
  server
    .command("info")
    .description("print version, backend and start time of the server")
    .addHelpText("after", EXIT_CODES)
    .action(async (_options: unknown, command: Command) => {
      const { serverInfo } = await import("./server-info.ts");
      process.exitCode = await serverInfo(command.optsWithGlobals<GlobalOptions>());
    });
}

function addRedisCommands(redis: Command): void {
  redis
    .command("setup")
    .description("create the search indexes as a Redis user with the rights that the server's user lacks")
    .addOption(setOption())
    .option("--config <path>", "the YAML file; the same as --set RECOLLECT_CONFIG=<path>")
    .addHelpText(
      "after",
      `
It reads the configuration of the server, except for user and password. Existing indexes stay unchanged, so that it
can be run again.

Example:
  REDIS_PASSWORD=... recollect redis setup --set REDIS_USERNAME=recollect-setup`,
    )
    .action(async (_options: unknown, command: Command) => {
      const { redisSetup } = await import("./redis-setup.ts");
      process.exitCode = await redisSetup(command.optsWithGlobals<SetupOptions>());
    });
}

function setOption(): Option {
  return new Option("--set <NAME=value>", "a setting, by its variable or its YAML path; repeat for several")
    .argParser(collectSetting)
    .default({}, "none");
}

function listOption(flags: string, description: string): Option {
  return new Option(flags, description).argParser(collect).default([], "none");
}
