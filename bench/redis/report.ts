import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { planParts } from "../plan.ts";
import type { CaseResult, ContenderName, Effort, Measured } from "./measure.ts";
import type { StoreResult } from "./store.ts";
import { warningsAbout } from "./warnings.ts";

/** The content of one result file. */
export interface RedisReport {
  /** YYYY-MM-DD */
  readonly date: string;
  readonly name: string;
  readonly command: string;
  /** A note for the reader of this run; may be empty. */
  readonly note: string;
  readonly machine: string;
  readonly loadBefore: number;
  readonly effort: Effort;
  /** Whether Redis was started for the run. */
  readonly isOwnRedis: boolean;
  readonly stores: readonly StoreResult[];
}

/** Writes `<date>-<name>.md` and `.json` and returns the path without its extension. */
export function writeRedisReport(directory: string, report: RedisReport): string {
  const path = join(directory, `${report.date}-${report.name}`);
  mkdirSync(directory, { recursive: true });
  const lines = { targets: redisTargetLines(report.stores), warnings: warningsAbout(report.stores) };
  writeFileSync(`${path}.json`, `${JSON.stringify({ ...report, ...lines }, rounded, 2)}\n`);
  writeFileSync(`${path}.md`, toMarkdown(report, lines));
  return path;
}

/** A line for each target, met or not. */
export function redisTargetLines(stores: readonly StoreResult[]): string[] {
  return stores.flatMap(({ title, cases }) =>
    cases.flatMap(({ name, floor, ratio, ratioMin, ratioMax, cpuRatio }) => {
      if (floor.target === undefined) return [];
      const verdict = ratio >= floor.target ? "met" : "not met";
      return [
        `${name} >= ${floor.target} of grpc-js and ${floor.what}, ${title}: ${figures(ratio)} ` +
          `(rounds ${figures(ratioMin)} to ${figures(ratioMax)}; by processor time ${figures(cpuRatio)}), ${verdict}`,
      ];
    }),
  );
}

function toMarkdown(
  { date, name, machine, loadBefore, command, note, effort, isOwnRedis, stores }: RedisReport,
  { targets, warnings }: { readonly targets: readonly string[]; readonly warnings: readonly string[] },
): string {
  const version = stores[0]?.redisVersion ?? "unknown";
  const redis = isOwnRedis
    ? `Redis ${version} with Redis Stack's modules, on the same machine, without persistence`
    : `Redis ${version}, one that was running`;
  const parts = [
    `# ${date} ${name}`,
    bullets([
      `Machine: ${machine}; load average before ${loadBefore.toFixed(2)}`,
      redis,
      `Command: \`${command}\``,
      `Effort: ${effort.rounds} rounds of ${effort.seconds} s on ${effort.connections} connections, rotated; ${effort.singleRounds} rounds of ${effort.singleSeconds} s on one connection with one stream; medians`,
      ...(note === "" ? [] : [`Note: ${note}`]),
    ]),
    "## Targets",
    targets.length === 0 ? "None was measured." : bullets(targets),
    "## Warnings",
    warnings.length === 0 ? "None: no failed call, no short reply, replies alike." : bullets(warnings),
    ...stores.flatMap(storeParts),
    "bench/README.md says how to read this. Compare within this file only.",
  ];
  return `${parts.join("\n\n")}\n`;
}

function storeParts({ title, fillSeconds, redisBytes, memories, cases }: StoreResult): string[] {
  return [
    `## ${title}`,
    `Filled in ${fillSeconds.toFixed(1)} s through the API. Redis holds ${(redisBytes / 2 ** 20).toFixed(0)} MiB, ${(redisBytes / memories / 1024).toFixed(1)} KiB for each memory of it.`,
    table(cases.flatMap(rows)),
    ...planParts(cases),
    "Commands of a call, times microseconds of Redis' one thread:",
    bullets(cases.flatMap(commandLines)),
  ];
}

const HEAD = [
  "case",
  "who",
  "calls/s",
  "**service / this** (rounds)",
  "by CPU",
  "p50 / p99 ms",
  "1x1 p50 / p99 ms",
  "Node CPU us a call",
  "Redis CPU us a call",
  "Node busy",
  "reply bytes",
  "errors, short",
];

function rows(one: CaseResult): string[][] {
  const service = one.contenders.find(({ name }) => name === "service");
  return one.contenders.map((contender) => {
    const { name, medians, redis, singleP50Ms, singleP99Ms } = contender;
    return [
      name === "service" ? `${one.name} (${one.connections}x${one.streams})` : "",
      who(name, one),
      whole(medians.callsPerSecond),
      service === undefined || name === "service" ? "" : shareCell(service, contender),
      name === "floor" ? figures(one.cpuRatio) : "",
      `${figures(medians.p50Ms)} / ${figures(medians.p99Ms)}`,
      `${figures(singleP50Ms)} / ${figures(singleP99Ms)}`,
      whole(medians.cpuMicrosPerCall),
      whole(redis.cpuMicrosPerCall),
      figures(medians.serverBusy),
      name === "raw" ? "" : whole(medians.replyBytes),
      `${medians.errors}, ${medians.shortReplies}`,
    ];
  });
}

function who(name: ContenderName, { floor }: CaseResult): string {
  if (name === "floor") return `grpc-js and ${floor.what}`;
  if (name === "raw") return "the same through ioredis alone";
  return name === "echo" ? "bare grpc-js" : "service";
}

function shareCell(service: Measured, other: Measured): string {
  const each = service.rounds.map((rate, round) => rate / (other.rounds[round] ?? Number.NaN));
  const share = service.medians.callsPerSecond / other.medians.callsPerSecond;
  return `**${figures(share)}** (${figures(Math.min(...each))}-${figures(Math.max(...each))})`;
}

function commandLines(one: CaseResult): string[] {
  return one.contenders.flatMap(({ name, redis }) => {
    if (name !== "service" && name !== "floor") return [];
    const commands = redis.commands
      .filter(({ perCall }) => perCall >= 0.01)
      .map(({ name, perCall, micros }) => `${figures(perCall)} ${name} x ${figures(micros)}`);
    return [`${one.name}, ${name}: ${commands.join(", ")}`];
  });
}

function table(cells: readonly (readonly string[])[]): string {
  return [HEAD, HEAD.map(() => "---"), ...cells].map((row) => `| ${row.join(" | ")} |`).join("\n");
}

function bullets(lines: readonly string[]): string {
  return lines.map((line) => `- ${line}`).join("\n");
}

function whole(value: number | undefined): string {
  return value === undefined ? "-" : value.toFixed(0);
}

/** Two decimals, or three where two would leave one figure. */
function figures(value: number | undefined): string {
  if (value === undefined) return "-";
  return value.toFixed(value < 0.1 ? 3 : 2);
}

/** More than five figures would be noise. */
function rounded(_key: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(5)) : value;
}
