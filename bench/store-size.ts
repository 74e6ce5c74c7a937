import { Caller } from "./caller.ts";
import { type Case, casesOf, RECORDED_ONCE, type Runs } from "./cases.ts";
import { BATCH_SIZE, cachedQuestions, memoryBatches } from "./data.ts";
import { fillCache, fillMemories } from "./fill.ts";
import type { LoadPlan } from "./load.ts";
import { type Medians, mediansOf, type Sample, sample } from "./measure.ts";
import { planOf } from "./plan.ts";
import { cpuMicros, residentMegabytes } from "./proc.ts";
import { rotated } from "./rounds.ts";
import { median } from "./statistics.ts";
import { type ServerProcess, Workspace } from "./workspace.ts";

/** Durations and numbers of runs. */
export interface Effort {
  /** Runs of each server with all streams. */
  readonly rounds: number;
  readonly seconds: number;
  /** Runs of each server with one connection and one stream, for the latency without concurrent calls. */
  readonly singleRounds: number;
  readonly singleSeconds: number;
  readonly warmSeconds: number;
  readonly connections: number;
  readonly batchCalls: { readonly calls: number; readonly single: number };
}

/** The measurements of one case. */
export interface CaseResult {
  readonly name: string;
  /** Number of different requests, sent round robin. */
  readonly requests: number;
  readonly connections: number;
  readonly streams: number;
  readonly service: Medians;
  readonly echo: Medians;
  /** Throughput of the service as a share of the echo's: of the medians, and the extremes of the rounds. */
  readonly ratio: number;
  readonly ratioMin: number;
  readonly ratioMax: number;
  /** The same by processor time a call, which is independent of the load generator and other processes; Linux only. */
  readonly cpuRatio?: number;
  /** Median milliseconds of a call on one connection with one stream. */
  readonly serviceSingleP50Ms: number;
  readonly serviceSingleP99Ms: number;
  readonly echoSingleP50Ms: number;
  /** Resident memory of the service after this case, in megabytes; Linux only. */
  readonly residentMegabytes?: number;
  /** The plan of the longest request of a search; see `explain`. */
  readonly plan?: string;
}

/** The measurements over a store of one size. */
export interface SizeResult {
  /** Start time of the measurement. */
  readonly memories: number;
  /** Cached answers, all in one scope. */
  readonly entries: number;
  /** Memories added by BatchCreateMemories at the end. */
  readonly memoriesAdded: number;
  readonly fillSeconds: number;
  readonly cases: readonly CaseResult[];
}

/** Options of a measurement. */
export interface SizeOptions {
  /** Directory of the compiled program. */
  readonly dist: string;
  readonly memories: number;
  readonly effort: Effort;
  /** Names of cases; undefined means all. */
  readonly only: readonly string[] | undefined;
  /** Called with progress messages. */
  readonly say: (line: string) => void;
}

/** Fills a new store with memories and as many cached answers, and measures every case over it. */
export async function measureSize({ dist, memories, effort, only, say }: SizeOptions): Promise<SizeResult> {
  await using workspace = new Workspace();
  const service = await workspace.service({ dist, data: "data" });
  using caller = new Caller(service.address);

  const batches = memoryBatches(memories);
  const questions = cachedQuestions(memories);
  const begin = performance.now();
  await fillMemories(caller, batches);
  await fillCache(caller, questions);
  const fillSeconds = (performance.now() - begin) / 1000;
  await settled(service.pid);
  say(`${memories} memories and as many cached answers stored in ${fillSeconds.toFixed(1)} s`);

  const runs: Runs = { full: effort.rounds + 1, single: effort.singleRounds, batchCalls: effort.batchCalls };
  const cases: CaseResult[] = [];
  let memoriesAdded = 0;
  for (const one of casesOf(batches, questions, runs)) {
    if (only?.includes(one.name) === false) continue;
    const recorded = await record(caller, one);
    const plan = await planOf(caller, one);
    const measured = await measureCase(workspace, service, one, recorded, effort);
    cases.push({ ...measured.result, ...(plan === undefined ? {} : { plan }) });
    if (one.once !== undefined) memoriesAdded += BATCH_SIZE * (measured.sent + recorded.replies.length);
    say(
      `  ${one.name}: ${measured.result.service.callsPerSecond.toFixed(0)} calls/s, ${measured.result.ratio.toFixed(2)} of echo`,
    );
  }
  return { memories, entries: questions.length, memoriesAdded, fillSeconds, cases };
}

/** Waits for background work of a large import (building the vector graph), which is not part of a case. */
async function settled(pid: number): Promise<void> {
  for (let before = cpuMicros(pid); before !== undefined; ) {
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    const after = cpuMicros(pid);
    if (after === undefined || after - before < 0.05 * SETTLE_MS * 1000) return;
    before = after;
  }
}

const SETTLE_MS = 1000;

/** Requests of a case and the replies of the service. */
interface Recorded {
  readonly requests: readonly Uint8Array[];
  readonly replies: readonly Buffer[];
}

/** Sends every request once, records the replies for the echo, and checks them. */
async function record(caller: Caller, { name, path, requests, accepts, once }: Case): Promise<Recorded> {
  const asked = once === undefined ? requests : requests.slice(0, RECORDED_ONCE);
  const recorded: { request: Uint8Array; reply: Buffer }[] = [];
  for (const request of asked) {
    const reply = await caller.bytes(path, request);
    if (accepts(reply)) recorded.push({ request, reply });
  }
  if (recorded.length < asked.length / 2) {
    throw new Error(
      `${name}: only ${recorded.length} of ${asked.length} requests are answered as they should`,
    );
  }
  return {
    requests: once === undefined ? recorded.map(({ request }) => request) : requests.slice(RECORDED_ONCE),
    replies: recorded.map(({ reply }) => reply),
  };
}

async function measureCase(
  workspace: Workspace,
  service: ServerProcess,
  one: Case,
  recorded: Recorded,
  effort: Effort,
): Promise<{ readonly result: CaseResult; readonly sent: number }> {
  const { connections } = effort;
  const echoPath = `/recollect.bench.v1.Echo/${one.name.replaceAll(" ", "-")}`;
  const echo = await workspace.echo({ [echoPath]: workspace.frames("replies", recorded.replies) });
  // A file name for each case, because the load generator caches files by path.
  const requests = workspace.frames(`requests-${one.name}`, recorded.requests);
  const shortBelow = Math.min(...recorded.replies.map(({ length }) => length)) / 2;
  let sent = 0;

  const run = async (
    server: ServerProcess,
    load: Pick<LoadPlan, "connections" | "streams" | "seconds">,
    callsOnce: number | undefined,
  ): Promise<Sample> => {
    const isService = server === service;
    // Single-use requests are bounded by calls for the service; the echo repeats them for the usual time.
    const calls = isService ? callsOnce : undefined;
    const plan = { ...load, path: isService ? one.path : echoPath, requests, shortBelow };
    if (calls === undefined) return sample(workspace, server, { ...plan, offset: 0 });
    const offset = sent;
    sent += calls;
    return sample(workspace, server, { ...plan, offset, calls, seconds: MAX_SECONDS });
  };
  const full = { connections, streams: one.streams, seconds: effort.seconds };
  const single = { connections: 1, streams: 1, seconds: effort.singleSeconds };

  for (const server of [service, echo]) {
    await run(server, { ...full, seconds: effort.warmSeconds }, one.once?.calls);
  }
  const samples = new Map<ServerProcess, Sample[]>([
    [service, []],
    [echo, []],
  ]);
  for (const server of rotated(effort.rounds, service, echo)) {
    samples.get(server)?.push(await run(server, full, one.once?.calls));
  }
  const singles = new Map<ServerProcess, Sample[]>([
    [service, []],
    [echo, []],
  ]);
  for (const server of rotated(effort.singleRounds, service, echo)) {
    singles.get(server)?.push(await run(server, single, one.once?.single));
  }
  const resident = residentMegabytes(service.pid);
  await echo.stop();

  const ours = samples.get(service) ?? [];
  const floor = samples.get(echo) ?? [];
  checkRuns(one.name, [...ours, ...floor, ...(singles.get(service) ?? []), ...(singles.get(echo) ?? [])]);
  const ratios = ours.map(
    (sampled, round) => sampled.callsPerSecond / (floor[round]?.callsPerSecond ?? Number.NaN),
  );
  const medians = { service: mediansOf(ours), echo: mediansOf(floor) };
  return {
    sent,
    result: {
      name: one.name,
      requests: recorded.requests.length,
      connections,
      streams: one.streams,
      ...medians,
      ratio: medians.service.callsPerSecond / medians.echo.callsPerSecond,
      ratioMin: Math.min(...ratios),
      ratioMax: Math.max(...ratios),
      ...cpuRatioOf(medians.service, medians.echo),
      serviceSingleP50Ms: median((singles.get(service) ?? []).map(({ p50Ms }) => p50Ms)),
      serviceSingleP99Ms: median((singles.get(service) ?? []).map(({ p99Ms }) => p99Ms)),
      echoSingleP50Ms: median((singles.get(echo) ?? []).map(({ p50Ms }) => p50Ms)),
      ...(resident === undefined ? {} : { residentMegabytes: resident }),
    },
  };
}

function cpuRatioOf(service: Medians, echo: Medians): { readonly cpuRatio?: number } {
  if (service.cpuMicrosPerCall === undefined || echo.cpuMicrosPerCall === undefined) return {};
  return { cpuRatio: echo.cpuMicrosPerCall / service.cpuMicrosPerCall };
}

/** Maximum time of runs that are bounded by calls. */
const MAX_SECONDS = 60;

/** Throws for a run without a successful reply, which has no figures. */
function checkRuns(name: string, samples: readonly Sample[]): void {
  const dead = samples.find(({ calls }) => calls === 0);
  if (dead !== undefined) throw new Error(`${name}: a run without a reply: ${dead.firstError ?? "too slow"}`);
}
