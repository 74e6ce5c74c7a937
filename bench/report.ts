import { mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg, type } from "node:os";
import { join } from "node:path";
import process from "node:process";
import type { Medians } from "./measure.ts";
import { planParts } from "./plan.ts";
import type { CaseResult, Effort, SizeResult } from "./store-size.ts";
import { targetLines, warnings } from "./targets.ts";

/** The content of one result file. */
export interface Report {
  /** YYYY-MM-DD */
  readonly date: string;
  readonly name: string;
  readonly command: string;
  /** A note for the reader of this run; may be empty. */
  readonly note: string;
  /** The machine, without its name. */
  readonly machine: string;
  /** Load average (1 minute) before the run: other processes make every figure worse. */
  readonly loadBefore: number;
  readonly effort: Effort;
  readonly sizes: readonly SizeResult[];
}

/** Writes `<date>-<name>.md` and `.json` and returns the path without its extension. */
export function writeReport(directory: string, report: Report): string {
  const path = join(directory, `${report.date}-${report.name}`);
  mkdirSync(directory, { recursive: true });
  const lines = { targets: targetLines(report.sizes), warnings: warnings(report.sizes) };
  writeFileSync(`${path}.json`, `${JSON.stringify({ ...report, ...lines }, rounded, 2)}\n`);
  writeFileSync(`${path}.md`, toMarkdown(report, lines));
  return path;
}

/** Processor, cores, system and Node, without the host name. */
export function machineLine(): string {
  const model = cpus()[0]?.model.trim() ?? "unknown processor";
  return `${model}, ${availableParallelism()} cores, ${type()} ${process.arch}, Node ${process.versions.node}`;
}

/** Load average of the last minute; 0 when the system has none. */
export function loadNow(): number {
  return loadavg()[0] ?? 0;
}

function toMarkdown(
  report: Report,
  { targets, warnings }: { readonly targets: readonly string[]; readonly warnings: readonly string[] },
): string {
  const { effort } = report;
  const parts = [
    `# ${report.date} ${report.name}`,
    [
      `- Machine: ${report.machine}; load average before ${report.loadBefore.toFixed(2)}`,
      `- Command: \`${report.command}\``,
      `- Effort: ${effort.rounds} rounds of ${effort.seconds} s on ${effort.connections} connections, rotated; ${effort.singleRounds} rounds of ${effort.singleSeconds} s on one connection with one stream; medians`,
      ...(report.note === "" ? [] : [`- Note: ${report.note}`]),
    ].join("\n"),
    "## Targets",
    bullets(targets),
    "## Warnings",
    warnings.length === 0
      ? "None: no failed call, no short reply, replies alike, echo saturated."
      : bullets(warnings),
    ...report.sizes.flatMap((size) => [
      `## ${size.memories} memories, ${size.entries} cached answers in one scope`,
      table(size.cases),
      ...planParts(size.cases),
      `Filled in ${size.fillSeconds.toFixed(1)} s through the API; batch create added ${size.memoriesAdded} memories.`,
    ]),
    "bench/README.md says how to read this. Compare within this file only.",
  ];
  return `${parts.join("\n\n")}\n`;
}

function bullets(lines: readonly string[]): string {
  return lines.map((line) => `- ${line}`).join("\n");
}

const HEAD = [
  "case",
  "conn. x streams",
  "calls/s service",
  "calls/s echo",
  "**ratio** (rounds)",
  "ratio by CPU",
  "p50 / p99 ms service",
  "p50 / p99 ms echo",
  "CPU us a call service",
  "CPU us a call echo",
  "busy service / echo",
  "1x1 p50 / p99 ms service",
  "1x1 p50 ms echo",
  "reply bytes service / echo",
  "errors, short",
  "RSS MB",
];

function table(cases: readonly CaseResult[]): string {
  return [HEAD, HEAD.map(() => "---"), ...cases.map(row)]
    .map((cells) => `| ${cells.join(" | ")} |`)
    .join("\n");
}

function row(one: CaseResult): string[] {
  const { service, echo } = one;
  return [
    one.name,
    `${one.connections}x${one.streams}`,
    whole(service.callsPerSecond),
    whole(echo.callsPerSecond),
    `**${figures(one.ratio)}** (${figures(one.ratioMin)}-${figures(one.ratioMax)})`,
    figures(one.cpuRatio),
    `${figures(service.p50Ms)} / ${figures(service.p99Ms)}`,
    `${figures(echo.p50Ms)} / ${figures(echo.p99Ms)}`,
    whole(service.cpuMicrosPerCall),
    whole(echo.cpuMicrosPerCall),
    `${figures(service.serverBusy)} / ${figures(echo.serverBusy)}`,
    `${figures(one.serviceSingleP50Ms)} / ${figures(one.serviceSingleP99Ms)}`,
    figures(one.echoSingleP50Ms),
    `${whole(service.replyBytes)} / ${whole(echo.replyBytes)}`,
    `${bad(service)} / ${bad(echo)}`,
    whole(one.residentMegabytes),
  ];
}

function bad({ errors, shortReplies }: Medians): string {
  return `${errors}, ${shortReplies}`;
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
