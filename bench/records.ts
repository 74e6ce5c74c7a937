import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg, type } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { type Measured, ratioOf } from "./rounds.ts";

/** What is true of a whole run. */
export interface About {
  /** YYYY-MM-DD */
  readonly date: string;
  readonly command: string;
  /** A note for the reader of this run; may be empty. */
  readonly note: string;
  /** The machine, without its name. */
  readonly machine: string;
  /** Load average (1 minute) before the run: other processes make every figure worse. */
  readonly loadBefore: number;
}

/** The measurement of one case in one setting. */
export interface CaseRecord extends About {
  readonly name: string;
  /** The store: its backend and its size. A newer record of the same case and setting replaces this one. */
  readonly setting: string;
  /** How often each contender ran, and for how long. */
  readonly effort: string;
  /** The service first, then what it is compared with, under each load. */
  readonly measured: readonly Measured[];
  /** The names of the contenders as a reader understands them. */
  readonly titles: Readonly<Record<string, string>>;
  /** Met or not; may be empty. */
  readonly targets: readonly string[];
  readonly warnings: readonly string[];
  /** The plan of a search, the commands of a call, how the store was filled. */
  readonly remarks: readonly string[];
}

/** The file of a case: its newest record in each setting. */
interface CaseFile {
  readonly name: string;
  readonly records: readonly CaseRecord[];
}

/** Writes `<case>.json` and `<case>.md` of each record, with the newest record of each setting. Returns the paths. */
export function writeRecords(directory: string, records: readonly CaseRecord[]): string[] {
  mkdirSync(directory, { recursive: true });
  const paths: string[] = [];
  for (const name of new Set(records.map((one) => one.name))) {
    const path = join(directory, fileNameOf(name));
    const fresh = records.filter((one) => one.name === name);
    const replaced = new Set(fresh.map(({ setting }) => setting));
    const kept = readRecords(`${path}.json`).filter(({ setting }) => !replaced.has(setting));
    const all = [...kept, ...fresh].toSorted((a, b) =>
      a.setting.localeCompare(b.setting, "en", { numeric: true }),
    );
    writeFileSync(
      `${path}.json`,
      `${JSON.stringify({ name, records: all } satisfies CaseFile, rounded, 2)}\n`,
    );
    writeFileSync(`${path}.md`, toMarkdown(name, all));
    paths.push(`${path}.md`);
  }
  return paths;
}

/** The records of a case file; none without it, or in a file of another kind. */
export function readRecords(path: string): readonly CaseRecord[] {
  return existsSync(path)
    ? ((JSON.parse(readFileSync(path, "utf8")) as Partial<CaseFile>).records ?? [])
    : [];
}

/** What is true of a run that begins now. */
export function aboutRun(command: string, note: string): About {
  return {
    date: new Date().toISOString().slice(0, "YYYY-MM-DD".length),
    command,
    note,
    machine: machineLine(),
    loadBefore: loadNow(),
  };
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

function fileNameOf(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]+/g, "-");
}

function toMarkdown(name: string, records: readonly CaseRecord[]): string {
  const parts = [
    `# ${name}`,
    "docs/benchmarks.md says how to read this. Compare within one section only.",
    ...records.flatMap(sectionOf),
  ];
  return `${parts.join("\n\n")}\n`;
}

function sectionOf(one: CaseRecord): string[] {
  return [
    `## ${one.setting}`,
    bullets([
      `${one.date}; ${one.machine}; load average before ${one.loadBefore.toFixed(2)}`,
      `\`${one.command}\``,
      one.effort,
      ...(one.note === "" ? [] : [one.note]),
      ...one.targets.map((line) => `target: ${line}`),
      ...busyLines(one),
      ...one.warnings.map((line) => `warning: ${line}`),
    ]),
    table(rowsOf(one)),
    ...(one.remarks.length === 0 ? [] : [bullets(one.remarks)]),
  ];
}

/** Above this load average before a run, other processes determine rates and latencies. */
const BUSY = 1;

function busyLines({ loadBefore }: About): string[] {
  return loadBefore <= BUSY
    ? []
    : ["warning: other processes were running: compare processor time, and nothing else"];
}

const HEAD = [
  "callers",
  "who",
  "calls/s",
  "**service / this** (rounds)",
  "by p50 / p95",
  "by CPU",
  "p50 / p95 / p99 ms",
  "process CPU us a call",
  "Redis CPU us a call",
  "process busy",
  "reply bytes",
  "errors, short",
];

function rowsOf({ measured, titles }: CaseRecord): string[][] {
  let callers: number | undefined;
  return measured.map((one) => {
    const isFirst = one.callers !== callers;
    callers = one.callers;
    return [
      isFirst ? String(one.callers) : "",
      titles[one.name] ?? one.name,
      whole(one.callsPerSecond),
      ...ratioCells(measured, one),
      [one.p50Ms, one.p95Ms, one.p99Ms].map(figures).join(" / "),
      whole(one.cpuMicros),
      whole(one.redis?.cpuMicrosPerCall),
      figures(one.busy),
      one.replyBytes > 0 ? whole(one.replyBytes) : "-",
      `${one.errors}, ${one.shortReplies}`,
    ];
  });
}

/** How the service compares with a contender: by throughput, by latency, and by processor time. */
function ratioCells(measured: readonly Measured[], other: Measured): string[] {
  const service = measured.find(({ name, callers }) => name === SERVICE && callers === other.callers);
  if (service === undefined || other.name.startsWith(SERVICE)) return ["", "", ""];
  const { throughput, lowest, highest, cpu, p50, p95 } = ratioOf(service, other);
  return [
    `**${figures(throughput)}** (${figures(lowest)}-${figures(highest)})`,
    `${figures(p50)} / ${figures(p95)}`,
    figures(cpu),
  ];
}

/** The name of the contender that others are compared with. */
export const SERVICE = "service";

export function table(rows: readonly (readonly string[])[]): string {
  return [HEAD, HEAD.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

function bullets(lines: readonly string[]): string {
  return lines.map((line) => `- ${line}`).join("\n");
}

function whole(value: number | undefined): string {
  return isKnown(value) ? value.toFixed(0) : "-";
}

/** Two decimals, or three where two would leave one figure. */
export function figures(value: number | undefined): string {
  return isKnown(value) ? value.toFixed(value < 0.1 ? 3 : 2) : "-";
}

/** JSON has null for NaN. */
function isKnown(value: number | undefined | null): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

/** More than five figures would be noise. */
function rounded(_key: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(5)) : value;
}
