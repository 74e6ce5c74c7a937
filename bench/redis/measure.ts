import type { Caller } from "../caller.ts";
import type { Case } from "../cases.ts";
import { RECORDED_ONCE } from "../cases.ts";
import type { LoadResult } from "../load.ts";
import { type Medians, mediansOf, type Sample, sample, sampled } from "../measure.ts";
import { planOf } from "../plan.ts";
import { costBetween, type RedisCost, readUsage } from "../redis-usage.ts";
import { rotated } from "../rounds.ts";
import { median } from "../statistics.ts";
import type { ServerProcess, Workspace } from "../workspace.ts";
import { type RoundTrip, writeTrips } from "./commands.ts";
import type { FloorPlan } from "./floor-server.ts";
import { FLOORS, type Floor } from "./floors.ts";
import type { CommandMonitor } from "./monitor.ts";
import type { RawPlan } from "./raw-load.ts";
import type { BenchRedis } from "./server.ts";

/** Durations and numbers of runs. */
export interface Effort {
  readonly rounds: number;
  readonly seconds: number;
  readonly singleRounds: number;
  readonly singleSeconds: number;
  readonly warmSeconds: number;
  readonly connections: number;
  readonly batchCalls: { readonly calls: number; readonly single: number };
}

export type ContenderName = "service" | "floor" | "raw" | "echo";

/** The measurement of one contender in one case. */
export interface Measured {
  readonly name: ContenderName;
  readonly medians: Medians;
  readonly rounds: readonly number[];
  readonly redis: RedisCost;
  /** Median milliseconds of a call without concurrent calls. */
  readonly singleP50Ms: number;
  readonly singleP99Ms: number;
}

export interface CaseResult {
  readonly name: string;
  readonly floor: Pick<Floor, "what" | "target">;
  readonly connections: number;
  readonly streams: number;
  readonly contenders: readonly Measured[];
  /** The service's throughput as a share of the floor's: of the medians, and the extremes of the rounds. */
  readonly ratio: number;
  readonly ratioMin: number;
  readonly ratioMax: number;
  /** Processor time a call of the floor and its Redis, as a share of the service's and its Redis'. */
  readonly cpuRatio?: number;
  /** The plan of the longest request of a search; see `explain`. */
  readonly plan?: string;
}

/** The environment of measurements. */
export interface Stage {
  readonly workspace: Workspace;
  readonly redis: BenchRedis;
  readonly monitor: CommandMonitor;
  readonly service: ServerProcess;
  readonly caller: Caller;
  readonly effort: Effort;
  /** Key prefix of the service. */
  readonly prefix: string;
  /** Opens another service over a store of its own on the same Redis; disposing it removes what it wrote. */
  readonly openElsewhere: () => Promise<Elsewhere>;
}

/** A service whose writes are recorded and not measured. */
export interface Elsewhere extends AsyncDisposable {
  readonly caller: Caller;
  readonly prefix: string;
}

interface Recorded {
  readonly requests: readonly Uint8Array[];
  readonly replies: readonly Buffer[];
  readonly trips: readonly RoundTrip[];
}

interface Load {
  readonly connections: number;
  readonly streams: number;
  readonly seconds: number;
  /** Set when requests can be sent only once. */
  readonly calls: number | undefined;
}

interface Contender {
  readonly name: ContenderName;
  readonly run: (load: Load) => Promise<Sample>;
}

/** Runs of a case with all streams, and with one stream, for each contender; the first run is the warm-up. */
export function runsOf(effort: Effort): { readonly full: number; readonly single: number } {
  return { full: effort.rounds + 1, single: effort.singleRounds };
}

/** Contenders that consume their requests; the echo does not. */
const WRITERS = 3;

/** Multiple of the service's requests for cases whose requests can be sent only once. */
export const SHARES = WRITERS;

export async function measureCase(stage: Stage, one: Case): Promise<CaseResult> {
  const floor = FLOORS[one.name];
  if (floor === undefined) throw new Error(`${one.name} has no floor`);
  const recorded =
    one.once === undefined ? await record(stage, one, floor) : await recordOnce(stage, one, floor);
  const plan = await planOf(stage.caller, one);
  const { contenders, stop } = await enter(stage, one, recorded);
  const { effort, redis } = stage;
  const full: Load = {
    connections: effort.connections,
    streams: one.streams,
    seconds: effort.seconds,
    calls: one.once?.calls,
  };
  const single: Load = { connections: 1, streams: 1, seconds: effort.singleSeconds, calls: one.once?.single };
  for (const { run } of contenders) await run({ ...full, seconds: effort.warmSeconds });
  const samples = new Map<ContenderName, Sample[]>();
  const costs = new Map<ContenderName, RedisCost[]>();
  for (const { name, run } of rotated(effort.rounds, ...contenders)) {
    const before = await readUsage(redis.redis);
    const sampled = await run(full);
    const cost = costBetween(before, await readUsage(redis.redis), sampled.calls);
    samples.set(name, [...(samples.get(name) ?? []), sampled]);
    costs.set(name, [...(costs.get(name) ?? []), cost]);
  }
  const singles = new Map<ContenderName, Sample[]>();
  for (const { name, run } of rotated(effort.singleRounds, ...contenders)) {
    singles.set(name, [...(singles.get(name) ?? []), await run(single)]);
  }
  await stop();

  const measured = contenders.map(({ name }): Measured => {
    const own = samples.get(name) ?? [];
    const alone = singles.get(name) ?? [];
    const dead = [...own, ...alone].find(({ calls }) => calls === 0);
    if (dead !== undefined) {
      throw new Error(`${one.name}, ${name}: a run without a reply: ${dead.firstError ?? "too slow"}`);
    }
    return {
      name,
      medians: mediansOf(own),
      rounds: own.map(({ callsPerSecond }) => callsPerSecond),
      redis: medianCost(costs.get(name) ?? []),
      singleP50Ms: median(alone.map(({ p50Ms }) => p50Ms)),
      singleP99Ms: median(alone.map(({ p99Ms }) => p99Ms)),
    };
  });
  return {
    ...ratios(measured),
    name: one.name,
    floor,
    ...full,
    contenders: measured,
    ...(plan === undefined ? {} : { plan }),
  };
}

/** Sends every request twice, because the service collects the counts for its plans the first time. */
async function record(
  { caller, monitor }: Stage,
  { name, path, requests, accepts }: Case,
  floor: Floor,
): Promise<Recorded> {
  for (const request of requests) await caller.bytes(path, request);
  const recorded: { request: Uint8Array; reply: Buffer; trip: RoundTrip }[] = [];
  for (const request of requests) {
    let reply: Buffer = Buffer.alloc(0);
    const seen = await monitor.during(async () => {
      reply = await caller.bytes(path, request);
    });
    if (accepts(reply)) recorded.push({ request, reply, trip: floor.trip(seen) });
  }
  if (recorded.length < requests.length / 2) {
    throw new Error(
      `${name}: only ${recorded.length} of ${requests.length} requests are answered as they should`,
    );
  }
  return {
    requests: recorded.map(({ request }) => request),
    replies: recorded.map(({ reply }) => reply),
    trips: recorded.map(({ trip }) => trip),
  };
}

/**
 * A share of the requests is for the service; the writes of the others are recorded over another store, and sent to the
 * index of this store by the floors.
 */
async function recordOnce(stage: Stage, { path, requests }: Case, floor: Floor): Promise<Recorded> {
  const { caller, monitor, prefix, openElsewhere } = stage;
  const replies: Buffer[] = [];
  for (const request of requests.slice(0, RECORDED_ONCE)) replies.push(await caller.bytes(path, request));
  const left = requests.slice(RECORDED_ONCE);
  const own = Math.ceil(left.length / SHARES);
  const trips: RoundTrip[] = [];
  await using elsewhere = await openElsewhere();
  for (const request of left.slice(own)) {
    const seen = await monitor.during(() => elsewhere.caller.bytes(path, request));
    trips.push(
      floor.trip(seen).map(([name, key, ...rest]) => {
        if (!String(key).startsWith(elsewhere.prefix)) throw new Error(`${String(key)} is of another store`);
        return [name, prefix + String(key).slice(elsewhere.prefix.length), ...rest];
      }),
    );
  }
  return { requests: left.slice(0, own), replies, trips };
}

async function enter(
  { workspace, redis, service }: Stage,
  one: Case,
  { requests, replies, trips }: Recorded,
): Promise<{ readonly contenders: readonly Contender[]; readonly stop: () => Promise<void> }> {
  const path = `/recollect.bench.v1.Floor/${one.name.replaceAll(" ", "-")}`;
  const repliesFile = workspace.frames("replies", replies);
  const isOnce = one.once !== undefined;
  // Single-use requests: one half is for the floor, the other one for the load without gRPC.
  const half = Math.ceil(trips.length / 2);
  const [floorTrips, rawTrips] = isOnce ? [trips.slice(0, half), trips.slice(half)] : [trips, trips];
  const file = (who: string, of: readonly RoundTrip[]): string => {
    const trips = workspace.frames(`trips-${who}-${one.name}`, []);
    writeTrips(trips, of);
    return trips;
  };
  const plan: FloorPlan = {
    redisUrl: redis.url,
    path,
    replies: repliesFile,
    trips: file("floor", floorTrips),
  };
  const floor = await workspace.server("redis/floor-server.ts", plan);
  const echo = await workspace.echo({ [path]: repliesFile });
  const worker = workspace.worker<RawPlan, LoadResult>("redis/raw-load.ts");
  const rawFile = file("raw", rawTrips);

  const requestsFile = workspace.frames(`requests-${one.name}`, requests);
  const shortBelow = Math.min(...replies.map(({ length }) => length)) / 2;
  const over = (server: ServerProcess, to: string): Contender["run"] => {
    let sent = 0;
    return ({ calls, ...load }) => {
      const offset = calls === undefined ? 0 : sent;
      sent += calls ?? 0;
      return sample(workspace, server, {
        ...load,
        ...bound(calls),
        path: to,
        requests: requestsFile,
        offset,
        shortBelow,
      });
    };
  };
  let made = 0;
  const contenders: Contender[] = [
    { name: "service", run: over(service, one.path) },
    { name: "floor", run: over(floor, path) },
    {
      name: "raw",
      run: ({ calls, connections, streams, seconds }) => {
        const offset = calls === undefined ? 0 : made;
        made += calls ?? 0;
        const load = { redisUrl: redis.url, trips: rawFile, offset, width: connections * streams, seconds };
        return sampled(worker.pid, () => worker.apply({ ...load, ...bound(calls) }));
      },
    },
    // It writes nothing, so it may run for the usual time.
    {
      name: "echo",
      run: ({ connections, streams, seconds }) =>
        over(echo, path)({ connections, streams, seconds, calls: undefined }),
    },
  ];
  return {
    contenders,
    stop: async () => {
      await Promise.all([floor.stop(), echo.stop(), worker.stop()]);
    },
  };
}

/** Maximum time of runs that are bounded by calls. */
const MAX_SECONDS = 60;

function bound(calls: number | undefined): { readonly calls?: number; readonly seconds?: number } {
  return calls === undefined ? {} : { calls, seconds: MAX_SECONDS };
}

function medianCost(costs: readonly RedisCost[]): RedisCost {
  const middle = costs.toSorted((a, b) => a.cpuMicrosPerCall - b.cpuMicrosPerCall)[costs.length >>> 1];
  return {
    cpuMicrosPerCall: median(costs.map(({ cpuMicrosPerCall }) => cpuMicrosPerCall)),
    commands: middle?.commands ?? [],
  };
}

function ratios(
  measured: readonly Measured[],
): Pick<CaseResult, "ratio" | "ratioMin" | "ratioMax" | "cpuRatio"> {
  const service = measured.find(({ name }) => name === "service");
  const floor = measured.find(({ name }) => name === "floor");
  if (service === undefined || floor === undefined) throw new TypeError("a contender is missing");
  const each = service.rounds.map((rate, round) => rate / (floor.rounds[round] ?? Number.NaN));
  const cpu = ({ medians, redis }: Measured): number =>
    (medians.cpuMicrosPerCall ?? Number.NaN) + redis.cpuMicrosPerCall;
  const cpuRatio = cpu(floor) / cpu(service);
  return {
    ratio: service.medians.callsPerSecond / floor.medians.callsPerSecond,
    ratioMin: Math.min(...each),
    ratioMax: Math.max(...each),
    ...(Number.isNaN(cpuRatio) ? {} : { cpuRatio }),
  };
}
