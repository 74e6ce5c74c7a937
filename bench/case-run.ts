import type { Case } from "./cases.ts";
import { RECORDED_ONCE, type Runs } from "./cases.ts";
import { type CallTrips, writeTrips } from "./contenders/commands.ts";
import type { FloorPlan } from "./contenders/floor-server.ts";
import type { RawPlan } from "./contenders/raw-load.ts";
import { FLOORS, type Floor, type RecordedCall } from "./floors.ts";
import type { LoadResult } from "./load.ts";
import { planOf } from "./plan.ts";
import { residentMegabytes } from "./proc.ts";
import { SERVICE } from "./records.ts";
import type { SeenCommand } from "./redis-monitor.ts";
import { type Contender, type Load, type Measured, measureRounds } from "./rounds.ts";
import { type RedisStage, SETTLE_MS, type Stage } from "./stage.ts";
import type { ServerProcess } from "./workspace.ts";

/** Durations and numbers of runs. */
export interface CaseEffort {
  readonly rounds: number;
  readonly seconds: number;
  /** Runs with one connection and one stream, for the latency without concurrent calls. */
  readonly singleRounds: number;
  readonly singleSeconds: number;
  /** Before the service is measured. V8 has optimised all functions of a call after some 50,000 calls. */
  readonly warmSeconds: number;
  readonly connections: number;
  readonly batchCalls: { readonly calls: number; readonly single: number };
}

/** The measurement of a case over a stage. */
export interface CaseResult {
  readonly name: string;
  readonly measured: readonly Measured[];
  readonly titles: Readonly<Record<string, string>>;
  /** The contender that targets and warnings are about. */
  readonly floor: "floor" | "echo";
  readonly plan: string | undefined;
  readonly residentMegabytes: number | undefined;
}

interface Recorded {
  readonly requests: readonly Uint8Array[];
  readonly replies: readonly Buffer[];
  /** Only on Redis. */
  readonly floor: Floor | undefined;
}

/** Contenders on Redis that consume their requests; the echo does not. */
const WRITERS = 3;
/** A floor has far fewer functions to optimise than the service. */
const FLOOR_WARM_SHARE = 0.4;
/** Maximum time of runs that are bounded by calls. */
const MAX_SECONDS = 60;

/** How many requests the cases need whose requests can be sent once. */
export function runsOf({ rounds, singleRounds, batchCalls }: CaseEffort, stage: Stage): Runs {
  const shares = stage.redis === undefined ? 1 : WRITERS;
  return { full: shares * (rounds + 1), single: shares * singleRounds, batchCalls };
}

/** Records the replies of the service, opens the other contenders, and measures all of them in one loop. */
export async function measureCase(stage: Stage, one: Case, effort: CaseEffort): Promise<CaseResult> {
  const recorded = await record(stage, one);
  const plan = await planOf(stage.caller, one);
  const { contenders, stop } = await enter(stage, one, recorded, effort);
  const full: Load = { connections: effort.connections, streams: one.streams, seconds: effort.seconds };
  const single: Load = { connections: 1, streams: 1, seconds: effort.singleSeconds };
  const once = (calls: number | undefined): { readonly calls?: number } =>
    calls === undefined ? {} : { calls };
  const loads = {
    full: { ...full, ...once(one.once?.calls) },
    single: { ...single, ...once(one.once?.single) },
  };
  for (const { name, run } of contenders) {
    const seconds = effort.warmSeconds * (name === SERVICE ? 1 : FLOOR_WARM_SHARE);
    await run({ ...loads.full, seconds });
  }
  const measured = await measureRounds(contenders, {
    efforts: [
      { load: loads.full, rounds: effort.rounds },
      { load: loads.single, rounds: effort.singleRounds },
    ],
    redis: stage.redis?.server.redis,
  });
  await stop();
  return {
    name: one.name,
    measured,
    titles: titlesOf(recorded.floor),
    floor: stage.redis === undefined ? "echo" : "floor",
    plan,
    residentMegabytes: residentMegabytes(stage.service.pid),
  };
}

function titlesOf(floor: Floor | undefined): Record<string, string> {
  const common = { [SERVICE]: "service", echo: "bare grpc-js" };
  if (floor === undefined) return common;
  return { ...common, floor: `grpc-js and ${floor.what}`, raw: "the same through ioredis alone" };
}

/** Sends the requests, keeps those whose reply is as the case wants, and makes the floor from what Redis did. */
async function record(stage: Stage, one: Case): Promise<Recorded> {
  if (one.once !== undefined) return recordOnce(stage, one);
  const { caller, redis } = stage;
  const { name, path, requests, accepts, found } = one;
  // Twice on Redis, because the service collects the counts for its plans the first time.
  if (redis !== undefined) for (const request of requests) await caller.bytes(path, request);
  const calls: RecordedCall[] = [];
  for (const request of requests) {
    const { reply, seen } = await seenCall(redis, () => caller.bytes(path, request));
    if (accepts(reply)) calls.push({ request, reply, seen, page: found?.(reply) ?? [] });
  }
  if (calls.length < requests.length / 2) {
    throw new Error(
      `${name}: only ${calls.length} of ${requests.length} requests are answered as they should`,
    );
  }
  return {
    requests: calls.map(({ request }) => request),
    replies: calls.map(({ reply }) => reply),
    floor: await floorOf(redis, name, calls),
  };
}

async function seenCall(
  redis: RedisStage | undefined,
  call: () => Promise<Buffer>,
): Promise<Pick<RecordedCall, "reply" | "seen">> {
  if (redis === undefined) return { reply: await call(), seen: [] };
  let reply: Buffer = Buffer.alloc(0);
  const seen = await redis.monitor.during(async () => {
    reply = await call();
  });
  return { reply, seen };
}

async function floorOf(
  redis: RedisStage | undefined,
  name: string,
  calls: readonly RecordedCall[],
): Promise<Floor | undefined> {
  if (redis === undefined) return undefined;
  const floor = FLOORS[name];
  if (floor === undefined) throw new Error(`${name} has no floor`);
  return floor(redis.server.redis, calls);
}

/**
 * On Redis a share of the requests is for the service; the writes of the others are recorded over another store, so that
 * they are new to this one, and sent to its index by the floors.
 */
async function recordOnce(
  { caller, redis }: Stage,
  { name, path, requests, accepts }: Case,
): Promise<Recorded> {
  const replies: Buffer[] = [];
  const { seen: here } = await seenCall(redis, async () => {
    for (const request of requests.slice(0, RECORDED_ONCE)) replies.push(await caller.bytes(path, request));
    return Buffer.alloc(0);
  });
  if (!replies.every(accepts)) throw new Error(`${name}: a request is not answered as it should`);
  const left = requests.slice(RECORDED_ONCE);
  if (redis === undefined) return { requests: left, replies, floor: undefined };
  const own = Math.ceil(left.length / WRITERS);
  const calls: RecordedCall[] = [];
  await using elsewhere = await redis.openElsewhere();
  for (const request of left.slice(own)) {
    const { reply, seen } = await seenCall(redis, () => elsewhere.caller.bytes(path, request));
    calls.push({ request, reply, seen, page: [] });
  }
  const floor = await floorOf(redis, name, calls);
  if (floor === undefined) return { requests: left.slice(0, own), replies, floor };
  const from = { prefix: elsewhere.prefix, vector: vectorFieldOf(calls[0]?.seen ?? []) };
  const to = { prefix: redis.prefix, vector: vectorFieldOf(here) };
  return { requests: left.slice(0, own), replies, floor: moved(floor, from, to) };
}

/** What the keys and fields of a store are named. */
interface Names {
  readonly prefix: string;
  /** The field of a memory that the index reads its vector from: each store names its own. */
  readonly vector: string;
}

function vectorFieldOf(seen: readonly SeenCommand[]): string {
  const hash = seen.find(({ command }) => command.includes("tok"))?.command ?? [];
  const field = hash.find((part) => typeof part === "string" && /^v\d+$/.test(part));
  if (typeof field !== "string") throw new Error("no vector was written in a call");
  return field;
}

/** The same writes under the keys and fields of another store. */
function moved(floor: Floor, from: Names, to: Names): Floor {
  const calls = floor.calls.map((trips) =>
    trips.map((trip) =>
      trip.map(([name, key, ...rest]) => {
        if (!String(key).startsWith(from.prefix)) throw new Error(`${String(key)} is of another store`);
        const parts = rest.map((part) => (part === from.vector ? to.vector : part));
        return [name, to.prefix + String(key).slice(from.prefix.length), ...parts] as const;
      }),
    ),
  );
  return { ...floor, calls };
}

interface Entered {
  readonly contenders: readonly Contender[];
  readonly stop: () => Promise<void>;
}

async function enter(stage: Stage, one: Case, recorded: Recorded, effort: CaseEffort): Promise<Entered> {
  const { workspace, service, redis } = stage;
  const path = `/recollect.bench.v1.Floor/${one.name.replaceAll(" ", "-")}`;
  const replies = workspace.frames("replies", recorded.replies);
  const requests = workspace.frames(`requests-${one.name}`, recorded.requests);
  const shortBelow = Math.min(...recorded.replies.map(({ length }) => length)) / 2;
  const over = (server: ServerProcess, to: string): Contender["run"] => {
    let sent = 0;
    return (load) => {
      const offset = load.calls === undefined ? 0 : sent;
      sent += load.calls ?? 0;
      const plan = { ...bounded(load), address: server.address, path: to, requests, offset, shortBelow };
      return workspace.load(plan);
    };
  };
  const echo = await workspace.echo({ [path]: replies });
  const floors =
    redis === undefined || recorded.floor === undefined
      ? { contenders: [], stop: async () => undefined }
      : await enterFloors(stage, redis, { path, replies, calls: recorded.floor.calls, one, over });
  return {
    contenders: [
      {
        name: SERVICE,
        pid: service.pid,
        run: over(service, one.path),
        ...(redis === undefined ? {} : { settleMs: SETTLE_MS }),
      },
      ...floors.contenders,
      {
        name: "echo",
        pid: echo.pid,
        // It writes nothing, so it may run for the usual time.
        run: ({ connections, streams }) =>
          over(echo, path)({ connections, streams, seconds: effort.seconds }),
      },
    ],
    stop: async () => {
      await Promise.all([echo.stop(), floors.stop()]);
    },
  };
}

async function enterFloors(
  { workspace }: Stage,
  redis: RedisStage,
  {
    path,
    replies,
    calls,
    one,
    over,
  }: {
    readonly path: string;
    readonly replies: string;
    readonly calls: readonly CallTrips[];
    readonly one: Case;
    readonly over: (server: ServerProcess, to: string) => Contender["run"];
  },
): Promise<Entered> {
  // Single-use requests: one half is for the floor, the other one for the load without gRPC.
  const half = Math.ceil(calls.length / 2);
  const isOnce = one.once !== undefined;
  const file = (who: string, of: readonly CallTrips[]): string => {
    const trips = workspace.frames(`trips-${who}-${one.name}`, []);
    writeTrips(trips, of);
    return trips;
  };
  const plan: FloorPlan = {
    redisUrl: redis.server.url,
    path,
    replies,
    trips: file("floor", isOnce ? calls.slice(0, half) : calls),
  };
  const floor = await workspace.server("contenders/floor-server.ts", plan);
  const worker = workspace.worker<RawPlan, LoadResult>("contenders/raw-load.ts");
  const trips = file("raw", isOnce ? calls.slice(half) : calls);
  let made = 0;
  return {
    contenders: [
      { name: "floor", pid: floor.pid, run: over(floor, path) },
      {
        name: "raw",
        pid: worker.pid,
        run: (load) => {
          const offset = load.calls === undefined ? 0 : made;
          made += load.calls ?? 0;
          const { connections, streams, ...bounds } = bounded(load);
          return worker.apply({
            redisUrl: redis.server.url,
            trips,
            offset,
            width: connections * streams,
            ...bounds,
          });
        },
      },
    ],
    stop: async () => {
      await Promise.all([floor.stop(), worker.stop()]);
    },
  };
}

function bounded(load: Load): Load {
  return load.calls === undefined ? load : { ...load, seconds: MAX_SECONDS };
}
