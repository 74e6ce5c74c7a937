/**
 * Measures the service against a bare grpc-js echo of the same messages, or on Redis also against what Redis itself
 * takes, and writes bench/results/<date>-<name>.
 * README.md says how to run it and how to read what it writes.
 */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import type { Effort as RedisEffort } from "./redis/measure.ts";
import { redisTargetLines, writeRedisReport } from "./redis/report.ts";
import { measureScale } from "./redis/scale.ts";
import { measureStore, type StoreResult } from "./redis/store.ts";
import { loadNow, machineLine, writeReport } from "./report.ts";
import { type Effort, measureSize, type SizeResult } from "./store-size.ts";
import { targetLines } from "./targets.ts";

const NORMAL: Effort = {
  rounds: 4,
  seconds: 2,
  singleRounds: 2,
  singleSeconds: 2,
  warmSeconds: 8,
  connections: 2,
  batchCalls: { calls: 10, single: 5 },
};
const QUICK: Effort = {
  ...NORMAL,
  seconds: 0.4,
  singleSeconds: 0.3,
  warmSeconds: 0.5,
  batchCalls: { calls: 5, single: 3 },
};

const REDIS_NORMAL: RedisEffort = {
  ...NORMAL,
  rounds: 8,
  seconds: 1,
  singleSeconds: 1,
  // V8 has optimised all functions of a call after some 50,000 calls, later than those of the floors.
  warmSeconds: 12,
};
const REDIS_QUICK: RedisEffort = { ...QUICK, rounds: 2, singleRounds: 1 };

/** Output of `make build`. */
const DIST = join(import.meta.dirname, "..", "dist");

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    full: { type: "boolean", default: false },
    sizes: { type: "string" },
    case: { type: "string", multiple: true },
    rounds: { type: "string" },
    name: { type: "string" },
    note: { type: "string", default: "" },
    dist: { type: "string", default: DIST },
    results: { type: "string", default: join(import.meta.dirname, "results") },
    backend: { type: "string", default: "embedded" },
    "redis-url": { type: "string" },
    dimensions: { type: "string", default: "384,1536" },
    scale: { type: "boolean", default: false },
  },
});
const dist = resolve(values.dist);
if (!existsSync(join(dist, "main.js"))) throw new Error("not built: run 'make build' first");
if (!["embedded", "redis"].includes(values.backend)) throw new RangeError("--backend is embedded or redis");
// Child processes and directories are removed on any exit of the process.
for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const)
  process.once(signal, () => process.exit(code));

const loadBefore = loadNow();
const about = {
  date: new Date().toISOString().slice(0, "YYYY-MM-DD".length),
  command: ["node bench/run.ts", ...shownOptions()].join(" "),
  note: values.note,
  machine: machineLine(),
  loadBefore,
};
if (values.backend === "redis") await measureOnRedis();
else await measureEmbedded();

async function measureEmbedded(): Promise<void> {
  const effort: Effort = { ...(values.quick ? QUICK : NORMAL), ...roundsOf(values.rounds) };
  const sizes: SizeResult[] = [];
  for (const memories of sizesOf(values))
    sizes.push(await measureSize({ dist, memories, effort, only: values.case, say }));
  const name = values.name ?? (values.quick ? "quick" : values.full ? "full" : "normal");
  const path = writeReport(values.results, { ...about, name, effort, sizes });
  for (const line of targetLines(sizes)) say(line);
  say(`written: ${path}.md and .json`);
}

async function measureOnRedis(): Promise<void> {
  const effort = { ...(values.quick ? REDIS_QUICK : REDIS_NORMAL), ...roundsOf(values.rounds) };
  const options = { dist, redisUrl: values["redis-url"], effort, only: values.case, say };
  const stores: StoreResult[] = [];
  for (const dimension of values.dimensions.split(",").map(positive)) {
    if (values.scale) stores.push(...(await measureScale({ ...options, dimension })));
    else {
      const sizes = values.sizes ?? (values.quick ? "1000" : "10000");
      for (const memories of sizes.split(",").map(positive))
        stores.push(await measureStore({ ...options, memories, dimension }));
    }
  }
  const name = values.name ?? (values.scale ? "redis-scale" : values.quick ? "redis-quick" : "redis");
  const path = writeRedisReport(values.results, {
    ...about,
    name,
    effort,
    stores,
    isOwnRedis: values["redis-url"] === undefined,
  });
  for (const line of redisTargetLines(stores)) say(line);
  say(`written: ${path}.md and .json`);
}

function sizesOf({ quick, full, sizes }: typeof values): number[] {
  if (sizes !== undefined) return sizes.split(",").map(positive);
  if (quick) return [1000];
  return full ? [1000, 10_000, 100_000] : [1000, 10_000];
}

function roundsOf(rounds: string | undefined): Pick<Effort, "rounds"> | undefined {
  return rounds === undefined ? undefined : { rounds: positive(rounds) };
}

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new RangeError(`not a positive whole number: ${text}`);
  return value;
}

/** The command line, without paths. */
function shownOptions(): string[] {
  const { quick, full, sizes, rounds, backend, dimensions, scale, case: only = [] } = values;
  return [
    ...(backend === "redis" ? [`--backend redis --dimensions ${dimensions}`] : []),
    ...(scale ? ["--scale"] : []),
    ...(quick ? ["--quick"] : []),
    ...(full ? ["--full"] : []),
    ...(sizes === undefined ? [] : [`--sizes ${sizes}`]),
    ...(dist === DIST ? [] : ["--dist <another build>"]),
    ...only.map((name) => `--case "${name}"`),
    ...(rounds === undefined ? [] : [`--rounds ${rounds}`]),
  ];
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
