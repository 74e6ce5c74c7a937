/**
 * Measures the service against what its calls take at least, over the embedded store and on Redis, and writes
 * bench/results/<case>. docs/benchmarks.md says how to run it and how to read what it writes.
 */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { type CaseEffort, measureCase, runsOf } from "./case-run.ts";
import { CASE_NAMES, OVERLOAD } from "./cases.ts";
import { measureOverloadCase } from "./overload/case.ts";
import { aboutRun, SERVICE, writeRecords } from "./records.ts";
import { findRedis } from "./redis-server.ts";
import { recordOf } from "./report.ts";
import { ratioOf } from "./rounds.ts";
import { BACKENDS, type Backend, openStage, usedBytes } from "./stage.ts";
import { plainStore, type StorePart, scaleStore } from "./stores.ts";

const NORMAL: CaseEffort = {
  rounds: 6,
  seconds: 1.5,
  singleRounds: 3,
  singleSeconds: 1,
  warmSeconds: 10,
  connections: 2,
  batchCalls: { calls: 10, single: 5 },
};
const QUICK: CaseEffort = {
  ...NORMAL,
  rounds: 2,
  seconds: 0.4,
  singleRounds: 1,
  singleSeconds: 0.3,
  warmSeconds: 0.5,
  batchCalls: { calls: 5, single: 3 },
};
const SIZE = { normal: "10000", quick: "1000" } as const;

/** Output of `make build`. */
const DIST = join(import.meta.dirname, "..", "dist");
const RESULTS = join(import.meta.dirname, "results");

const { values } = parseArgs({
  options: {
    backend: { type: "string", default: "both" },
    case: { type: "string", multiple: true },
    quick: { type: "boolean", default: false },
    sizes: { type: "string" },
    dimensions: { type: "string", default: "384" },
    scale: { type: "boolean", default: false },
    rounds: { type: "string" },
    note: { type: "string", default: "" },
    dist: { type: "string", default: DIST },
    results: { type: "string" },
    "redis-url": { type: "string" },
  },
});
const dist = resolve(values.dist);
if (!existsSync(join(dist, "main.js"))) fail("not built: run 'make build' first");
const unknown = (values.case ?? []).filter((name) => !CASE_NAMES.some((known) => known === name));
if (unknown.length > 0) fail(`no case ${unknown.join(", ")}; there are: ${CASE_NAMES.join(", ")}`);
// Child processes and directories are removed on any exit of the process.
for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const)
  process.once(signal, () => process.exit(code));

const effort: CaseEffort = {
  ...(values.quick ? QUICK : NORMAL),
  ...(values.rounds === undefined ? {} : { rounds: positive(values.rounds) }),
};
// A quick run shows that everything works; its figures are no record, unless a folder is named.
const results = values.results ?? (values.quick ? undefined : RESULTS);
const about = aboutRun(["node bench/run.ts", ...shownOptions()].join(" "), values.note);
const measuredOn = await backends();
for (const backend of measuredOn) {
  for (const dimension of values.dimensions.split(",").map(positive)) {
    for (const parts of stores()) await measureStore(backend, dimension, parts);
  }
}
// Last, because it fails on a machine that is too busy. It takes minutes: a quick run has it only by name.
if (values.case?.includes(OVERLOAD) ?? !(values.quick || values.scale)) {
  for (const backend of measuredOn) {
    const { targets, path } = await measureOverloadCase({
      backend,
      dist,
      redisUrl: values["redis-url"],
      isQuick: values.quick,
      about,
      results,
      say,
    });
    for (const line of targets) say(`  ${line}`);
    if (path !== undefined) say(`  written: ${path}`);
  }
}

/** The backends that were asked for; without `--backend` those that can be had here. */
async function backends(): Promise<readonly Backend[]> {
  const named = BACKENDS.filter((one) => one === values.backend);
  if (named.length > 0) return named;
  if (values.backend !== "both") fail("--backend is embedded, redis or both");
  const missing = values["redis-url"] === undefined ? await findRedis() : undefined;
  if (missing === undefined) return BACKENDS;
  say(`not measured on Redis: ${missing}`);
  return ["embedded"];
}

function* stores(): Generator<readonly StorePart[]> {
  if (values.case?.every((name) => name === OVERLOAD)) return;
  if (values.scale) yield scaleStore();
  else {
    const sizes = values.sizes ?? SIZE[values.quick ? "quick" : "normal"];
    for (const memories of sizes.split(",").map(positive)) yield plainStore(memories);
  }
}

/** Fills a new store part by part, and measures and records every case over it. */
async function measureStore(backend: Backend, dimension: number, parts: readonly StorePart[]): Promise<void> {
  await using opened = await openStage({ backend, dist, redisUrl: values["redis-url"], dimension });
  const { stage } = opened;
  const empty = await usedBytes(stage);
  for (const { title, memories, fill, cases } of parts) {
    const begin = performance.now();
    await fill(stage.caller);
    const fillSeconds = (performance.now() - begin) / 1000;
    const bytes = await usedBytes(stage);
    const redisBytes = bytes === undefined || empty === undefined ? undefined : bytes - empty;
    say(`${backend}, ${title}, ${dimension} numbers: stored in ${fillSeconds.toFixed(1)} s`);
    for (const one of cases(runsOf(effort, stage))) {
      if (values.case?.includes(one.name) === false) continue;
      const result = await measureCase(stage, one, effort);
      const record = recordOf(result, {
        about,
        effort,
        setting: `${backend}, ${title}, ${dimension} numbers`,
        measurement: { backend, memories, dimension },
        redisVersion: stage.redis?.version,
        fillSeconds,
        redisBytes,
      });
      say(lineOf(result));
      for (const line of [...record.targets, ...record.warnings]) say(`    ${line}`);
      if (results !== undefined) writeRecords(results, [record]);
    }
  }
}

function lineOf({ name, measured }: Awaited<ReturnType<typeof measureCase>>): string {
  const concurrent = measured.filter(({ callers }) => callers > 1);
  const service = concurrent.find((one) => one.name === SERVICE);
  const rates = concurrent.map((one) => {
    const cpu = [one.cpuMicros, one.redis?.cpuMicrosPerCall].map((value) => value?.toFixed(0) ?? "-");
    const ratio =
      service === undefined || one === service ? "" : ` (${ratioOf(service, one).throughput.toFixed(2)})`;
    return `${one.name} ${one.callsPerSecond.toFixed(0)}${ratio} ${cpu.join("+")} us`;
  });
  return `  ${name}: calls/s, service / this, processor time: ${rates.join("; ")}`;
}

/** The command line, without paths. */
function shownOptions(): string[] {
  const { backend, quick, scale, sizes, dimensions, rounds, case: only = [] } = values;
  return [
    ...(backend === "both" ? [] : [`--backend ${backend}`]),
    ...(quick ? ["--quick"] : []),
    ...(scale ? ["--scale"] : []),
    ...(sizes === undefined ? [] : [`--sizes ${sizes}`]),
    ...(dimensions === "384" ? [] : [`--dimensions ${dimensions}`]),
    ...only.map((name) => `--case "${name}"`),
    ...(rounds === undefined ? [] : [`--rounds ${rounds}`]),
    ...(dist === DIST ? [] : ["--dist <another build>"]),
  ];
}

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) fail(`not a positive whole number: ${text}`);
  return value;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function fail(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}
