/**
 * Compares two builds of the service: `node bench/compare.ts <old dist> <new dist>`, over stores of their own,
 * or with `--backend redis` on one Redis. Prints what each case costs by processor time, in rotated rounds. Exits with 1
 * when the new build takes more than MAX_RATIO of the old one's.
 */
import { resolve } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { Caller } from "./caller.ts";
import { type Case, casesOf } from "./cases.ts";
import { cachedQuestions, memoryBatches } from "./data.ts";
import { fillCache, fillMemories } from "./fill.ts";
import { sample } from "./measure.ts";
import { openRedis } from "./redis-server.ts";
import { costBetween, readUsage } from "./redis-usage.ts";
import { rotated } from "./rounds.ts";
import { median } from "./statistics.ts";
import { type ServerProcess, Workspace } from "./workspace.ts";

const MAX_RATIO = 1.15;
const CONNECTIONS = 2;
const BATCH_CALLS = { calls: 10, single: 0 };

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    backend: { type: "string", default: "embedded" },
    memories: { type: "string", default: "10000" },
    rounds: { type: "string", default: "6" },
    seconds: { type: "string", default: "2" },
    case: { type: "string", multiple: true },
  },
});
const dists = positionals.map((path) => resolve(path));
if (dists.length !== 2) throw new RangeError("give two builds: the old dist and the new one");
const [memories, rounds, seconds] = [values.memories, values.rounds, values.seconds].map(Number) as [
  number,
  number,
  number,
];

await using workspace = new Workspace();
await using redis = values.backend === "redis" ? await openRedis(undefined) : undefined;
const batches = memoryBatches(memories);
const questions = cachedQuestions(memories);
const servers: ServerProcess[] = [];
for (const [index, dist] of dists.entries()) {
  const server = await workspace.service({
    dist,
    data: `data-${index}`,
    settings: redis?.settings(`build-${index}`) ?? {},
  });
  using caller = new Caller(server.address);
  await fillMemories(caller, batches);
  await fillCache(caller, questions);
  servers.push(server);
}
let worst = 0;
for (const one of casesOf(batches, questions, {
  full: 2 * (rounds + 1),
  single: 0,
  batchCalls: BATCH_CALLS,
})) {
  if (values.case?.includes(one.name) === false) continue;
  worst = Math.max(worst, await compare(one));
}
process.exitCode = worst > MAX_RATIO ? 1 : 0;

/** Microseconds of processor time a call. */
interface Cost {
  readonly service: number;
  readonly redis: number;
}

/** Ratio of the medians of processor time a call, new build to old build. */
async function compare(one: Case): Promise<number> {
  const requests = workspace.frames(one.name.replaceAll(" ", "-"), one.requests);
  const costs = new Map<ServerProcess, Cost[]>(servers.map((server) => [server, []]));
  let sent = 0;
  const run = async (server: ServerProcess): Promise<Cost> => {
    const before = redis && (await readUsage(redis.redis));
    const { calls, errors, firstError, cpuMicrosPerCall } = await sample(workspace, server, {
      path: one.path,
      requests,
      offset: sent,
      connections: CONNECTIONS,
      streams: one.streams,
      seconds: one.once === undefined ? seconds : 60,
      ...(one.once === undefined ? {} : { calls: one.once.calls }),
      shortBelow: 0,
    });
    sent += one.once?.calls ?? 0;
    if (errors > 0) throw new Error(`${one.name}: ${errors} calls failed: ${firstError}`);
    const used = redis && before && costBetween(before, await readUsage(redis.redis), calls);
    return { service: cpuMicrosPerCall ?? Number.NaN, redis: used?.cpuMicrosPerCall ?? 0 };
  };
  for (const server of servers) await run(server);
  for (const server of rotated(rounds, ...servers)) costs.get(server)?.push(await run(server));
  const medians = (of: (cost: Cost) => number): [number, number] => {
    const [before = Number.NaN, after = Number.NaN] = servers.map((server) =>
      median((costs.get(server) ?? []).map(of)),
    );
    return [before, after];
  };
  const [before, after] = medians(({ service }) => service);
  const ratio = after / before;
  const inRedis = medians((cost) => cost.redis).map((micros) => micros.toFixed(0));
  process.stdout.write(
    `${one.name}: ${before.toFixed(0)} and ${after.toFixed(0)} microseconds a call, ${ratio.toFixed(2)}` +
      `${redis === undefined ? "" : `; in Redis ${inRedis.join(" and ")}`}\n`,
  );
  return ratio;
}
