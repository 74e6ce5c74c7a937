/**
 * Profiles the service in one case: `node bench/profile.ts --case "search HYBRID" --memories 10000`, over
 * its own store or with `--backend redis`.
 * The store is filled first and the service restarted, so that the profile contains only the load.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { Caller } from "./caller.ts";
import { casesOf } from "./cases.ts";
import { type CpuProfile, costsBetween, type Share } from "./cpu-profile.ts";
import { cachedQuestions, memoryBatches } from "./data.ts";
import { fillCache, fillMemories } from "./fill.ts";
import { sample } from "./measure.ts";
import { openRedis } from "./redis-server.ts";
import { Workspace } from "./workspace.ts";

const WARM_SECONDS = 4;
const MEASURED_SECONDS = 6;
const INTERVAL_MICROS = 250;

const { values } = parseArgs({
  options: {
    case: { type: "string", multiple: true, default: ["exact cache hit"] },
    memories: { type: "string", default: "10000" },
    streams: { type: "string", default: "4" },
    dist: { type: "string", default: join(import.meta.dirname, "..", "dist") },
    backend: { type: "string", default: "embedded" },
    "redis-url": { type: "string" },
  },
});
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

await using redis = values.backend === "redis" ? await openRedis(values["redis-url"]) : undefined;
const settings = redis?.settings(`profile-${process.pid}`) ?? {};
await using workspace = new Workspace();
const dist = resolve(values.dist);
const batches = memoryBatches(Number(values.memories));
const questions = cachedQuestions(Number(values.memories));
const filled = await workspace.service({ dist, data: "data", settings });
{
  using caller = new Caller(filled.address);
  await fillMemories(caller, batches);
  await fillCache(caller, questions);
}
await filled.stop();

const cases = casesOf(batches, questions, { full: 1, single: 0, batchCalls: { calls: 100, single: 0 } });
for (const name of values.case) {
  const one = cases.find((known) => known.name === name);
  if (one === undefined)
    throw new Error(`no such case; there are: ${cases.map(({ name }) => name).join(", ")}`);
  const profiles = `profiles-${name.replaceAll(" ", "-")}`;
  const service = await workspace.service({
    dist,
    data: "data",
    settings,
    flags: ["--cpu-prof", `--cpu-prof-interval=${INTERVAL_MICROS}`, `--cpu-prof-dir=${profiles}`],
  });
  const load = {
    path: one.path,
    requests: workspace.frames(`requests-${name}`, one.requests),
    offset: 0,
    connections: 1,
    streams: Number(values.streams),
    shortBelow: 0,
  };
  if (one.once === undefined) await sample(workspace, service, { ...load, seconds: WARM_SECONDS });
  const from = now();
  const measured = await sample(workspace, service, {
    ...load,
    seconds: MEASURED_SECONDS,
    ...(one.once === undefined ? {} : { calls: one.once.calls }),
  });
  const to = now();
  await service.stop();
  const directory = join(workspace.directory, profiles);
  const file = readdirSync(directory)[0];
  if (file === undefined) throw new Error("the service wrote no profile");
  const costs = costsBetween(JSON.parse(readFileSync(join(directory, file), "utf8")) as CpuProfile, from, to);

  say(`\n# ${name}, ${values.memories} memories, 1x${values.streams}`);
  say(JSON.stringify(measured));
  say(`idle ${percent(costs.idle)}`);
  list("self time by function", costs.self, 40);
  list("time with callees", costs.total, 90);
  list("self time by file", costs.files, 35);
}

/** The clock of profile timestamps, in microseconds. */
function now(): number {
  return Number(process.hrtime.bigint() / 1000n);
}

function list(title: string, shares: readonly Share[], length: number): void {
  say(`\n## ${title}`);
  for (const { name, share } of shares.slice(0, length)) say(`${percent(share).padStart(7)}  ${name}`);
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
