/**
 * Measures the service under overload: `node bench/overload.ts`, over its own store, or with
 * `--backend redis` or `--backend both`. Finds the highest rate that it sustains, sends 1.5, 3 and 10 times as much, checks
 * the targets, and writes bench/results/<date>-<name>. Exits with 1 when a target is not met.
 */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { FACTORS, measureOverload, type OverloadEffort, type OverloadResult } from "./overload/measure.ts";
import { overloadWarnings, stageTable, targetLines, writeOverloadReport } from "./overload/report.ts";
import { openRedis } from "./redis/server.ts";
import { loadNow, machineLine } from "./report.ts";
import { Workspace } from "./workspace.ts";

const NORMAL: OverloadEffort = { warmSeconds: 6, peakSeconds: 5, overloadSeconds: 10, recoverySeconds: 8 };
const QUICK: OverloadEffort = { warmSeconds: 4, peakSeconds: 3, overloadSeconds: 5, recoverySeconds: 6 };

/** Output of `make build`. */
const DIST = join(import.meta.dirname, "..", "dist");

const { values } = parseArgs({
  options: {
    backend: { type: "string", default: "embedded" },
    "redis-url": { type: "string" },
    quick: { type: "boolean", default: false },
    factors: { type: "string", default: FACTORS.join(",") },
    dist: { type: "string", default: DIST },
    name: { type: "string", default: "overload" },
    note: { type: "string", default: "" },
    results: { type: "string", default: join(import.meta.dirname, "results") },
  },
});
const dist = resolve(values.dist);
if (!existsSync(join(dist, "main.js"))) throw new Error("not built: run 'make build' first");
if (!["embedded", "redis", "both"].includes(values.backend))
  throw new RangeError("--backend is embedded, redis or both");
for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const)
  process.once(signal, () => process.exit(code));

const loadBefore = loadNow();
const effort = values.quick ? QUICK : NORMAL;
const factors = values.factors.split(",").map(Number);
const results: OverloadResult[] = [];
if (values.backend !== "redis") results.push(await onEmbedded());
if (values.backend !== "embedded") results.push(await onRedis());
for (const result of results) say(`\n${result.backend}\n${stageTable(result)}`);
const path = writeOverloadReport(values.results, {
  date: new Date().toISOString().slice(0, "YYYY-MM-DD".length),
  name: values.name,
  command: ["node bench/overload.ts", ...shownOptions()].join(" "),
  note: values.note,
  machine: machineLine(),
  loadBefore,
  results,
});
const targets = targetLines(results);
for (const line of targets) say(line);
for (const line of overloadWarnings(results)) say(`warning: ${line}`);
say(`written: ${path}.md and .json`);
process.exitCode = targets.some((line) => line.endsWith("NOT MET")) ? 1 : 0;

async function onEmbedded(): Promise<OverloadResult> {
  await using workspace = new Workspace();
  return await measureOverload({
    workspace,
    backend: "embedded",
    start: () => workspace.service({ dist, data: "data" }),
    effort,
    factors,
    say,
  });
}

async function onRedis(): Promise<OverloadResult> {
  await using redis = await openRedis(values["redis-url"]);
  await using workspace = new Workspace();
  const settings = redis.settings(`overload-${process.pid}`);
  return await measureOverload({
    workspace,
    backend: "redis",
    start: () => workspace.service({ dist, data: "data", settings: { ...settings, VECTOR_DIM: "384" } }),
    effort,
    factors,
    say,
  });
}

/** The command line, without paths. */
function shownOptions(): string[] {
  return [
    `--backend ${values.backend}`,
    ...(values.quick ? ["--quick"] : []),
    ...(values.factors === FACTORS.join(",") ? [] : [`--factors ${values.factors}`]),
    ...(dist === DIST ? [] : ["--dist <another build>"]),
  ];
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
