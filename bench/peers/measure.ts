import { join } from "node:path";
import process from "node:process";
import { Caller } from "../caller.ts";
import { fillEntries, fillMemories } from "../fill.ts";
import type { LoadResult } from "../load.ts";
import { SERVICE } from "../records.ts";
import { openRedis } from "../redis-server.ts";
import { type Contender, type Effort, type Load, type Measured, measureRounds } from "../rounds.ts";
import { SETTLE_MS } from "../stage.ts";
import { type ServerProcess, type Worker, Workspace } from "../workspace.ts";
import { type PeerCase, type PeerName, peerCases } from "./cases.ts";
import { type Amounts, DIMENSION, makeData, writeData } from "./data.ts";
import { pythonOf } from "./python.ts";

export interface PeersOptions {
  /** Directory of the compiled program. */
  readonly dist: string;
  readonly redisUrl: string | undefined;
  readonly amounts: Amounts;
  readonly rounds: number;
  readonly seconds: number;
  /** Runs that are not counted, for V8's compilers; Python has none. */
  readonly warmSeconds: number;
  /** Names of cases; undefined means all. */
  readonly only: readonly string[] | undefined;
  readonly say: (line: string) => void;
}

export interface PeerResult {
  readonly one: PeerCase;
  readonly measured: readonly Measured[];
}

/** A load of a peer's program (peer.py). */
interface PeerPlan {
  readonly operation: string;
  readonly offset: number;
  readonly callers: number;
  readonly seconds: number;
  readonly calls?: number;
}

type Peer = Worker<PeerPlan, LoadResult>;

const SCRIPTS: Readonly<Record<PeerName, string>> = {
  redisvl: "peers/redisvl_cache.py",
  mem0: "peers/mem0_memory.py",
};
/** numpy of one thread, as callers are; and no notes about the libraries' own deprecations. */
const PYTHON_ENV = { PYTHONDONTWRITEBYTECODE: "1", OMP_NUM_THREADS: "1", PYTHONWARNINGS: "ignore" };
/** Maximum time of a run that is bounded by calls. */
const MAX_SECONDS = 60;
const FILL_SECONDS = 600;

/** Fills the service and the peers with the same, each under its own keys of one Redis, and measures every case. */
export async function measurePeers(options: PeersOptions): Promise<PeerResult[]> {
  const { dist, redisUrl, amounts, only, say } = options;
  const data = makeData(amounts);
  const cases = peerCases(data).filter(({ name }) => only?.includes(name) !== false);
  const wanted = [...new Set(cases.map(({ peer }) => peer))];
  const pythons = new Map<PeerName, string>();
  for (const peer of wanted) pythons.set(peer, await pythonOf(peer));

  await using redis = await openRedis(redisUrl);
  await using workspace = new Workspace();
  const folder = join(workspace.directory, "peers");
  // A little lower, because Redis computes in 32 bits.
  const threshold = (await writeData(folder, data)) - 0.01;
  const name = `peers-${process.pid}`;
  const service = await workspace.service({
    dist,
    data: name,
    settings: { ...redis.settings(name), VECTOR_DIM: String(DIMENSION) },
  });
  using caller = new Caller(service.address);
  await fillMemories(caller, data.requests.memories);
  await fillEntries(caller, data.requests.filled);
  const peers = new Map<PeerName, Peer>();
  for (const [peer, python] of pythons) {
    const args = [folder, redis.url, `${name}-${peer}`, String(threshold)];
    const worker = await workspace.foreignWorker<PeerPlan, LoadResult>(
      python,
      SCRIPTS[peer],
      args,
      PYTHON_ENV,
    );
    peers.set(peer, worker);
    await fillPeer(worker, amounts.filled);
  }
  say(
    `${amounts.filled} memories and as many answers of ${DIMENSION} numbers stored in each; RedisVL finds similarities of ${threshold.toFixed(2)} and above`,
  );

  const results: PeerResult[] = [];
  for (const one of cases) {
    const peer = peers.get(one.peer);
    if (peer === undefined) throw new TypeError(`${one.peer} was not started`);
    await expectAnswers(caller, one);
    const contenders = [serviceOf(workspace, service, one), peerOf(peer, one)];
    const measured = await measureRounds(contenders, {
      efforts: await effortsOf(one, contenders, options),
      redis: redis.redis,
    });
    results.push({ one, measured });
    say(lineOf({ one, measured }));
  }
  return results;
}

async function fillPeer(peer: Peer, count: number): Promise<void> {
  const { calls, errors, firstError } = await peer.apply({
    operation: "fill",
    offset: 0,
    callers: 4,
    seconds: FILL_SECONDS,
    calls: count,
  });
  if (errors > 0 || calls !== count) throw new Error(`a peer stored ${calls} of ${count}: ${firstError}`);
}

/** Sends each repeatable request once and throws unless nearly all are answered as the case wants. */
async function expectAnswers(
  caller: Caller,
  { name, path, requests, accepts, loads }: PeerCase,
): Promise<void> {
  if (loads.some(({ calls }) => calls !== undefined)) return;
  let accepted = 0;
  for (const request of requests) if (accepts(await caller.bytes(path, request))) accepted += 1;
  if (accepted < requests.length) {
    throw new Error(`${name}: only ${accepted} of ${requests.length} requests are answered as they should`);
  }
}

/** The loads of a case; also runs each once without counting it. */
async function effortsOf(
  { loads }: PeerCase,
  contenders: readonly Contender[],
  { rounds, seconds, warmSeconds }: PeersOptions,
): Promise<Effort[]> {
  const efforts: Effort[] = loads.map(({ callers, calls }) => ({
    rounds,
    load: {
      // At most 8 streams on a connection.
      connections: callers > 8 ? 2 : 1,
      streams: callers > 8 ? callers / 2 : callers,
      seconds: calls === undefined ? seconds : MAX_SECONDS,
      ...(calls === undefined ? {} : { calls }),
    },
  }));
  for (const { load } of efforts.slice(-1)) {
    for (const { run } of contenders) {
      await run(load.calls === undefined ? { ...load, seconds: warmSeconds } : load);
    }
  }
  return efforts;
}

function serviceOf(workspace: Workspace, service: ServerProcess, one: PeerCase): Contender {
  const requests = workspace.frames(one.name, one.requests);
  let sent = 0;
  return {
    name: SERVICE,
    pid: service.pid,
    settleMs: SETTLE_MS,
    run: async (load) => {
      const plan = {
        ...load,
        address: service.address,
        path: one.path,
        requests,
        offset: sent,
        shortBelow: 0,
      };
      const result = await workspace.load(plan);
      sent += result.calls + result.errors;
      return result;
    },
  };
}

function peerOf(peer: Peer, { peer: name, operation }: PeerCase): Contender {
  let sent = 0;
  return {
    name,
    pid: peer.pid,
    run: async ({ connections, streams, seconds, calls }: Load) => {
      const bounds = { seconds, ...(calls === undefined ? {} : { calls }) };
      const result = await peer.apply({ operation, offset: sent, callers: connections * streams, ...bounds });
      sent += result.calls + result.errors;
      return result;
    },
  };
}

function lineOf({ one, measured }: PeerResult): string {
  const rates = measured.map(
    ({ name, callers, callsPerSecond }) => `${name} x${callers} ${callsPerSecond.toFixed(0)}`,
  );
  return `  ${one.name}: ${rates.join(", ")} calls/s`;
}
