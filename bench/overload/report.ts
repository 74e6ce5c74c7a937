import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { OVERLOAD } from "../cases.ts";
import type { About } from "../records.ts";
import { DEADLINE_MS, type LoadStage, MEMORIES, type OverloadResult } from "./measure.ts";

/** The record of one backend. */
export interface OverloadRecord extends About {
  readonly result: OverloadResult;
}

/** Least goodput, as a share of the peak, by multiple of the sustainable rate. */
const LEAST_GOODPUT: Readonly<Record<string, number>> = { "1.5": 0.8, "3": 0.7, "10": 0.5 };
const REFUSAL_MS = 50;
/** Deadline of a lookup, plus tolerance. */
const LOOKUP_MS = 800 + 50;
const PROBE_MS = 1000;
const RECOVERY_SECONDS = 5;

/** A line for each target, met or not. */
export function targetLines(results: readonly OverloadResult[]): string[] {
  return results.flatMap((result) =>
    result.stages.flatMap((stage) =>
      targetsOf(stage, result).map(
        ([target, value, isMet]) =>
          `${result.backend} x${stage.factor}: ${target}: ${value}, ${isMet ? "met" : "not met"}`,
      ),
    ),
  );
}

function targetsOf(stage: LoadStage, { peak }: OverloadResult): [string, string, boolean][] {
  const least = LEAST_GOODPUT[String(stage.factor)] ?? 0;
  const share = stage.goodput.all / peak.all;
  const heavyShare = stage.goodput.heavy / peak.heavy;
  const { search, lookup, create } = stage.overload.kinds;
  const refused = (search?.refused ?? 0) + (create?.refused ?? 0) + (lookup?.refused ?? 0);
  const bare = [search, create, lookup].reduce((sum, kind) => sum + (kind?.refusedWithoutRetryInfo ?? 0), 0);
  const refusalMs = Math.max(search?.refusedMs.p95 || 0, create?.refusedMs.p95 || 0);
  const internal = [search, create, lookup].reduce((sum, kind) => sum + (kind?.codes["13"] ?? 0), 0);
  const lookupMs = lookup?.allMs.max ?? Number.NaN;
  const { probes, recovery } = stage;
  return [
    [`goodput >= ${least} of peak`, share.toFixed(2), share >= least],
    [`goodput of searches and creates >= ${least} of theirs`, heavyShare.toFixed(2), heavyShare >= least],
    ["refusals carry RetryInfo", `${refused - bare} of ${refused}`, bare === 0],
    [`95 % of refusals within ${REFUSAL_MS} ms`, `${refusalMs.toFixed(1)} ms`, refusalMs <= REFUSAL_MS],
    [`lookups within ${LOOKUP_MS} ms`, `${lookupMs.toFixed(0)} ms at most`, lookupMs <= LOOKUP_MS],
    ["no call ends INTERNAL", `${internal}`, internal === 0],
    [
      `/health and /metrics within ${PROBE_MS} ms`,
      `${probes.healthMaxMs.toFixed(0)} and ${probes.metricsMaxMs.toFixed(0)} ms at most, ${probes.failed} failed`,
      Math.max(probes.healthMaxMs, probes.metricsMaxMs) <= PROBE_MS && probes.failed === 0,
    ],
    [
      `recovered within ${RECOVERY_SECONDS} s`,
      `${recovery.lastFailureSeconds.toFixed(1)} s`,
      recovery.lastFailureSeconds <= RECOVERY_SECONDS,
    ],
  ];
}

/** Above this share of the time other processes on the machine determine the figures. */
const MAX_WAITED = 0.1;

/** Warnings about unreliable figures of this run. */
export function overloadWarnings(results: readonly OverloadResult[]): string[] {
  return results.flatMap(({ backend, stages }) =>
    stages.flatMap(({ factor, serverWaited, overload: { lateMs } }) => [
      ...(serverWaited !== undefined && serverWaited > MAX_WAITED
        ? [
            `${backend} x${factor}: the server waited for a processor for ${serverWaited.toFixed(2)} of the time`,
          ]
        : []),
      ...(lateMs.p99 > LATE_MS
        ? [`${backend} x${factor}: the load generator was late by ${lateMs.p99.toFixed(0)} ms (p99)`]
        : []),
    ]),
  );
}

const LATE_MS = 20;

/** Writes overload.json and overload.md, with the newest record of each backend. Returns the path of the latter. */
export function writeOverloadRecord(directory: string, record: OverloadRecord): string {
  const path = join(directory, OVERLOAD);
  mkdirSync(directory, { recursive: true });
  const kept = readOverloadRecords(`${path}.json`).filter(
    ({ result }) => result.backend !== record.result.backend,
  );
  const records = [...kept, record].toSorted((a, b) => a.result.backend.localeCompare(b.result.backend));
  writeFileSync(`${path}.json`, `${JSON.stringify({ name: OVERLOAD, records }, rounded, 2)}\n`);
  writeFileSync(`${path}.md`, toMarkdown(records));
  return `${path}.md`;
}

function readOverloadRecords(path: string): readonly OverloadRecord[] {
  if (!existsSync(path)) return [];
  return (JSON.parse(readFileSync(path, "utf8")) as { readonly records: readonly OverloadRecord[] }).records;
}

function toMarkdown(records: readonly OverloadRecord[]): string {
  const parts = [
    `# ${OVERLOAD}`,
    `70 % HYBRID searches over ${MEMORIES} memories, 20 % cache lookups, 10 % creates; open loop, deadline ${DEADLINE_MS} ms. ` +
      "docs/benchmarks.md says how to read this. Compare within one section only.",
    ...records.flatMap(sectionOf),
  ];
  return `${parts.join("\n\n")}\n`;
}

function sectionOf({ result, ...about }: OverloadRecord): string[] {
  const lines = [
    `${about.date}; ${about.machine}; load average before ${about.loadBefore.toFixed(2)}`,
    `\`${about.command}\``,
    ...(about.note === "" ? [] : [about.note]),
    ...targetLines([result]).map((line) => `target: ${line}`),
    ...overloadWarnings([result]).map((line) => `warning: ${line}`),
  ];
  return [
    `## ${result.backend}`,
    lines.map((line) => `- ${line}`).join("\n"),
    peakLine(result),
    stageTable(result),
  ];
}

function peakLine({ sustainableCallsPerSecond, peak, residentBeforeMegabytes }: OverloadResult): string {
  return (
    `Sustainable rate ${sustainableCallsPerSecond.toFixed(0)} calls/s; peak goodput ${peak.all.toFixed(0)} calls/s, ` +
    `${peak.heavy.toFixed(0)} of them searches and creates; ${whole(residentBeforeMegabytes)} MB before.`
  );
}

const HEADS = [
  "x",
  "calls/s",
  "kind",
  "sent",
  "succeeded",
  "refused",
  "other codes",
  "ok p50 / p99 ms",
  "refused p50 / p95 ms",
  "slowest ms",
  "outcomes",
  "connections lost",
  "/health, /metrics ms",
  "recovered s",
  "RSS MB",
  "busy, waited",
];

export function stageTable({ stages }: OverloadResult): string {
  const rows = stages.flatMap(rowsOf);
  return [HEADS, HEADS.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

function rowsOf(stage: LoadStage): string[][] {
  return Object.entries(stage.overload.kinds).map(([name, kind], at) => {
    const others = Object.entries(kind.codes).filter(([code]) => code !== "0" && code !== "8");
    const once = (text: string): string => (at === 0 ? text : "");
    return [
      once(String(stage.factor)),
      once(stage.callsPerSecond.toFixed(0)),
      name,
      String(kind.sent),
      String(kind.succeeded),
      String(kind.refused),
      others.map(([code, count]) => `${code}: ${count}`).join(", "),
      `${whole(kind.succeededMs.p50)} / ${whole(kind.succeededMs.p99)}`,
      `${whole(kind.refusedMs.p50)} / ${whole(kind.refusedMs.p95)}`,
      whole(kind.allMs.max),
      Object.entries(kind.outcomes)
        .map(([outcome, count]) => `${outcome} ${count}`)
        .join(", "),
      once(String(stage.connectionsLost)),
      once(`${whole(stage.probes.healthMaxMs)}, ${whole(stage.probes.metricsMaxMs)}`),
      once(stage.recovery.lastFailureSeconds.toFixed(1)),
      once(whole(stage.probes.residentMaxMegabytes)),
      once(`${stage.serverBusy?.toFixed(2) ?? "-"}, ${stage.serverWaited?.toFixed(2) ?? "-"}`),
    ];
  });
}

function whole(value: number | undefined | null): string {
  return value === undefined || value === null || Number.isNaN(value) ? "-" : value.toFixed(0);
}

function rounded(_key: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(5)) : value;
}
