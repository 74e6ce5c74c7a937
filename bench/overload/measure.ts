import { setTimeout as sleep } from "node:timers/promises";
import { create, toBinary } from "@bufbuild/protobuf";
import { CacheService, LookupCacheRequestSchema } from "#gen/recollect/v1/cache_pb.js";
import {
  CreateMemoryRequestSchema,
  MemoryService,
  SearchMemoriesRequest_Mode as Mode,
} from "#gen/recollect/v1/memory_pb.js";
import { Caller, pathOf } from "../caller.ts";
import { search } from "../cases.ts";
import { cachedQuestions, extraBatches, memoryBatches, SCOPE, searchTexts } from "../data.ts";
import { fillCache, fillMemories } from "../fill.ts";
import { cpuMicros, residentMegabytes, waitedMicros } from "../proc.ts";
import type { ServerProcess, Worker, Workspace } from "../workspace.ts";
import type { CallKind, OpenLoadPlan, OpenLoadResult, Segment, SegmentResult } from "./load.ts";
import { type ProbeResult, startProbes } from "./probes.ts";

/** Deadline of the calls. */
const SHARES = { search: 0.7, lookup: 0.2, create: 0.1 } as const;
export type KindName = keyof typeof SHARES;

export const MEMORIES = 12_000;
const CACHED_ANSWERS = 4000;
/** Different searches, and different lookups: half of these in the words of the stored question. */
const POOL = 512;
const CONNECTIONS = 4;
const CLOSED_STREAMS = 16;
export const DEADLINE_MS = 2000;
export const FACTORS = [1.5, 3, 10] as const;

export interface OverloadEffort {
  readonly warmSeconds: number;
  readonly peakSeconds: number;
  readonly overloadSeconds: number;
  readonly recoverySeconds: number;
}

/** Successes a second: of all kinds, and without lookups, which are so cheap that they hide the other kinds. */
export interface Goodput {
  readonly all: number;
  readonly heavy: number;
}

export interface LoadStage {
  /** The offered load, as a multiple of the sustainable rate. */
  readonly factor: number;
  readonly callsPerSecond: number;
  readonly goodput: Goodput;
  readonly overload: SegmentResult;
  readonly recovery: SegmentResult;
  readonly connectionsLost: number;
  readonly probes: ProbeResult;
  /** Processors used by the server, during overload and recovery. */
  readonly serverBusy: number | undefined;
  /** Share of that time in which the server was runnable while other processes had the processor. */
  readonly serverWaited: number | undefined;
}

export interface OverloadResult {
  readonly backend: string;
  /** The highest rate at which 99 % of the calls succeed in time, and the goodput then. */
  readonly sustainableCallsPerSecond: number;
  readonly peak: Goodput;
  readonly residentBeforeMegabytes: number | undefined;
  readonly stages: readonly LoadStage[];
}

/** A rate is sustained when this share of calls succeeds, and searches take no longer; otherwise they pile up. */
const SUSTAINED_SHARE = 0.99;
const SUSTAINED_MS = 500;
/** Steps of the search for the highest of them. */
const STEP = 1.12;
const MAX_STEPS = 12;
/** Load in the recovery, as a share of the sustainable rate. */
const RECOVERY_SHARE = 0.5;

export interface OverloadOptions {
  readonly workspace: Workspace;
  readonly backend: string;
  readonly start: () => Promise<ServerProcess>;
  readonly effort: OverloadEffort;
  readonly factors: readonly number[];
  readonly say: (line: string) => void;
}

type Load = (...segments: Segment[]) => Promise<OpenLoadResult>;

/** Fills a new store, finds the peak, applies overload, and measures it. */
export async function measureOverload(options: OverloadOptions): Promise<OverloadResult> {
  const { workspace, backend } = options;
  const service = await options.start();
  const batches = memoryBatches(MEMORIES);
  const questions = cachedQuestions(CACHED_ANSWERS);
  using caller = new Caller(service.address);
  await fillMemories(caller, batches);
  await fillCache(caller, questions);
  const generator: Worker<OpenLoadPlan, OpenLoadResult> = workspace.worker("overload/load.ts");
  const kinds = kindsOf(workspace, batches, questions);
  let creates = 0;
  const load: Load = async (...segments) => {
    const result = await generator.apply({
      address: service.address,
      kinds: kinds.map((kind) => (kind.name === "create" ? { ...kind, offset: creates } : kind)),
      connections: CONNECTIONS,
      deadlineMs: DEADLINE_MS,
      seed: 1 + creates,
      segments,
    });
    creates += result.segments.reduce((sum, { kinds: of }) => sum + (of["create"]?.sent ?? 0), 0);
    return result;
  };

  const { sustainable, peak } = await findPeak(load, options);
  const residentBeforeMegabytes = residentMegabytes(service.pid);
  const stages: LoadStage[] = [];
  for (const factor of options.factors)
    stages.push(await measureStage(load, service, { ...options, factor, sustainable, peak }));
  await generator.stop();
  await service.stop();
  return { backend, sustainableCallsPerSecond: sustainable, peak, residentBeforeMegabytes, stages };
}

async function findPeak(
  load: Load,
  { backend, effort, say }: OverloadOptions,
): Promise<{ readonly sustainable: number; readonly peak: Goodput }> {
  await load({ seconds: effort.warmSeconds, streams: CLOSED_STREAMS });
  let peak = goodputOf(onlySegment(await load({ seconds: effort.peakSeconds, streams: CLOSED_STREAMS })));
  say(`${backend}: closed loop ${peak.all.toFixed(0)} calls/s`);
  const sustainable = await highestRate(peak.all, async (callsPerSecond) => {
    const run = onlySegment(await load({ seconds: effort.peakSeconds, callsPerSecond }));
    const succeeded = succeededShare(run);
    const searchMs = run.kinds["search"]?.succeededMs.p99 ?? Number.NaN;
    say(
      `${backend}: ${callsPerSecond.toFixed(0)} calls/s sent, ${(succeeded * 100).toFixed(1)} % succeed, searches p99 ${searchMs.toFixed(0)} ms`,
    );
    await sleep(DEADLINE_MS);
    if (succeeded < SUSTAINED_SHARE || searchMs > SUSTAINED_MS) return false;
    const goodput = goodputOf(run);
    if (goodput.heavy > peak.heavy) peak = goodput;
    return true;
  });
  return { sustainable, peak };
}

function onlySegment({ segments }: OpenLoadResult): SegmentResult {
  const [segment] = segments;
  if (segment === undefined) throw new TypeError("the load generator ran nothing");
  return segment;
}

async function measureStage(
  load: Load,
  service: ServerProcess,
  {
    backend,
    effort,
    say,
    factor,
    sustainable,
    peak,
  }: OverloadOptions & { readonly factor: number; readonly sustainable: number; readonly peak: Goodput },
): Promise<LoadStage> {
  const stopProbes = startProbes(service.httpAddress, service.pid);
  const before = { cpu: cpuMicros(service.pid), waited: waitedMicros(service.pid) };
  const { segments, connectionsLost } = await load(
    { seconds: effort.overloadSeconds, callsPerSecond: factor * sustainable },
    { seconds: effort.recoverySeconds, callsPerSecond: RECOVERY_SHARE * sustainable },
  );
  const after = { cpu: cpuMicros(service.pid), waited: waitedMicros(service.pid) };
  const [overload, recovery] = segments;
  if (overload === undefined || recovery === undefined) throw new TypeError("a segment is missing");
  const seconds = overload.seconds + recovery.seconds;
  const goodput = goodputOf(overload);
  say(
    `${backend}: x${factor}, goodput ${goodput.all.toFixed(0)}/s (${((100 * goodput.heavy) / peak.heavy).toFixed(0)} % of the peak of searches and creates)`,
  );
  const probes = await stopProbes();
  await sleep(DEADLINE_MS);
  return {
    factor,
    callsPerSecond: factor * sustainable,
    goodput,
    overload,
    recovery,
    connectionsLost,
    probes,
    serverBusy: rate(before.cpu, after.cpu, seconds),
    serverWaited: rate(before.waited, after.waited, seconds),
  };
}

/** Seconds a second, from two readings in microseconds. */
function rate(before: number | undefined, after: number | undefined, seconds: number): number | undefined {
  return before === undefined || after === undefined ? undefined : (after - before) / (1e6 * seconds);
}

/** Increases `rate` while it is sustained, or else decreases it until it is. */
async function highestRate(rate: number, isSustained: (rate: number) => Promise<boolean>): Promise<number> {
  if (await isSustained(rate)) {
    let highest = rate;
    for (let at = 0; at < MAX_STEPS && (await isSustained(highest * STEP)); at += 1) highest *= STEP;
    return highest;
  }
  let lower = rate / STEP;
  for (let at = 0; at < MAX_STEPS; at += 1) {
    if (await isSustained(lower)) return lower;
    lower /= STEP;
  }
  throw new Error("no rate was sustained: the machine is too busy to measure on");
}

export function kindsOf(
  workspace: Workspace,
  batches: ReturnType<typeof memoryBatches>,
  questions: ReturnType<typeof cachedQuestions>,
): CallKind[] {
  const texts = searchTexts(batches, POOL).map((text) => ({ text }));
  const searches = search("search", texts, Mode.HYBRID);
  const spread = Array.from({ length: POOL }, (_, at) => {
    const question = questions[Math.floor((at * questions.length) / POOL)];
    return (at % 2 === 0 ? question?.stored : question?.reworded) ?? "";
  });
  const lookups = spread.map((value) =>
    toBinary(
      LookupCacheRequestSchema,
      create(LookupCacheRequestSchema, { prompt: { prompt: { case: "text", value } }, scope: SCOPE }),
    ),
  );
  const creates = extraBatches(200)
    .flatMap(({ memories }) => memories)
    .map((memory) =>
      toBinary(
        CreateMemoryRequestSchema,
        create(CreateMemoryRequestSchema, { memory: { ...memory, id: "" } }),
      ),
    );
  const kind = (name: KindName, path: string, requests: readonly Uint8Array[]): CallKind => ({
    name,
    path,
    requests: workspace.frames(name, requests),
    offset: 0,
    share: SHARES[name],
  });
  return [
    kind("search", searches.path, searches.requests),
    kind("lookup", pathOf(CacheService.method.lookupCache), lookups),
    kind("create", pathOf(MemoryService.method.createMemory), creates),
  ];
}

export function goodputOf({ seconds, kinds }: SegmentResult): Goodput {
  const of = (name: KindName): number => (kinds[name]?.succeeded ?? 0) / seconds;
  return { all: of("search") + of("lookup") + of("create"), heavy: of("search") + of("create") };
}

function succeededShare({ kinds }: SegmentResult): number {
  const all = Object.values(kinds);
  const sum = (value: (one: (typeof all)[number]) => number): number =>
    all.reduce((total, one) => total + value(one), 0);
  return sum(({ succeeded }) => succeeded) / sum(({ sent }) => sent);
}
