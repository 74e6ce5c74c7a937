import process from "node:process";
import { removeAll, settingsOf } from "../../test/support/redis/backend.ts";
import { Caller } from "../caller.ts";
import { type Case, casesOf } from "../cases.ts";
import { cachedQuestions, memoryBatches } from "../data.ts";
import { fillCache, fillMemories } from "../fill.ts";
import { Workspace } from "../workspace.ts";
import {
  type CaseResult,
  type Effort,
  type Elsewhere,
  measureCase,
  runsOf,
  SHARES,
  type Stage,
} from "./measure.ts";
import { CommandMonitor } from "./monitor.ts";
import { openRedis } from "./server.ts";

/** The measurements over a store of one size. */
export interface StoreResult {
  /** Description of the store. */
  readonly title: string;
  readonly memories: number;
  readonly dimension: number;
  readonly fillSeconds: number;
  /** used_memory of Redis after filling. */
  readonly redisBytes: number;
  readonly redisVersion: string;
  readonly cases: readonly CaseResult[];
}

export interface StoreOptions {
  /** Directory of the compiled program. */
  readonly dist: string;
  /** URL of an existing Redis; undefined: starts one. */
  readonly redisUrl: string | undefined;
  readonly memories: number;
  readonly dimension: number;
  readonly effort: Effort;
  /** Names of cases; undefined means all. */
  readonly only: readonly string[] | undefined;
  readonly say: (line: string) => void;
}

/** Fills a new store on Redis with memories and as many cached answers, and measures every case over it. */
export async function measureStore(options: StoreOptions): Promise<StoreResult> {
  const { memories, dimension, effort, say } = options;
  await using opened = await openStage(options);
  const { stage } = opened;
  const batches = memoryBatches(memories);
  const questions = cachedQuestions(memories);
  const begin = performance.now();
  await fillMemories(stage.caller, batches);
  await fillCache(stage.caller, questions);
  const fillSeconds = (performance.now() - begin) / 1000;
  const redisBytes = await usedBytes(stage);
  say(
    `${memories} memories and as many cached answers of ${dimension} numbers stored in ${fillSeconds.toFixed(1)} s`,
  );
  const { full, single } = runsOf(effort);
  const runs = { full: SHARES * full, single: SHARES * single, batchCalls: effort.batchCalls };
  return {
    title: `${memories} memories of ${dimension} numbers, ${memories} cached answers in one scope`,
    memories,
    dimension,
    fillSeconds,
    redisBytes,
    redisVersion: opened.version,
    cases: await measureCases(stage, casesOf(batches, questions, runs), options),
  };
}

export async function measureCases(
  stage: Stage,
  cases: readonly Case[],
  { only, say }: Pick<StoreOptions, "only" | "say">,
): Promise<CaseResult[]> {
  const results: CaseResult[] = [];
  for (const one of cases) {
    if (only?.includes(one.name) === false) continue;
    const result = await measureCase(stage, one);
    results.push(result);
    say(
      `  ${one.name}: ${result.contenders.map(({ name, medians }) => `${name} ${medians.callsPerSecond.toFixed(0)}`).join(", ")} calls/s; ` +
        `${result.ratio.toFixed(2)} of the floor, by CPU ${result.cpuRatio?.toFixed(2) ?? "-"}`,
    );
  }
  return results;
}

/** Opens an empty store on Redis, with a service. */
export async function openStage({
  dist,
  redisUrl,
  dimension,
  effort,
}: Pick<StoreOptions, "dist" | "redisUrl" | "dimension" | "effort">): Promise<
  AsyncDisposable & { readonly stage: Stage; readonly version: string }
> {
  await using opening = new AsyncDisposableStack();
  const redis = opening.use(await openRedis(redisUrl));
  const monitor = new CommandMonitor(redis.url, redis.redis);
  const workspace = opening.use(new Workspace());
  const start = (name: string) =>
    workspace.service({
      dist,
      data: name,
      settings: { ...redis.settings(name), VECTOR_DIM: String(dimension) },
    });
  const run = `bench-${process.pid}`;
  const service = await start(run);
  const caller = opening.use(new Caller(service.address));
  const openElsewhere = async (): Promise<Elsewhere> => {
    const name = `${run}-elsewhere`;
    const other = await start(name);
    const otherCaller = new Caller(other.address);
    return {
      caller: otherCaller,
      prefix: `${name}:`,
      [Symbol.asyncDispose]: async () => {
        otherCaller[Symbol.dispose]();
        await other.stop();
        await removeAll(settingsOf(redis.url), name);
      },
    };
  };
  const version = /^redis_version:(\S+)/m.exec(await redis.redis.info("server"))?.[1] ?? "unknown";
  const opened = opening.move();
  return {
    version,
    stage: { workspace, redis, monitor, service, caller, effort, prefix: `${run}:`, openElsewhere },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

export async function usedBytes({ redis }: Stage): Promise<number> {
  return Number(/^used_memory:(\d+)/m.exec(await redis.redis.info("memory"))?.[1] ?? Number.NaN);
}
