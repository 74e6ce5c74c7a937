import { setTimeout as sleep } from "node:timers/promises";
import type { Redis } from "ioredis";
import type { LoadResult } from "./load.ts";
import { cpuMicros } from "./proc.ts";
import { costBetween, medianCost, type RedisCost, readUsage } from "./redis-usage.ts";
import { median } from "./statistics.ts";

/** How hard a contender is loaded in one run. */
export interface Load {
  readonly connections: number;
  /** Concurrent calls on each connection. */
  readonly streams: number;
  readonly seconds: number;
  /** Set when each request can be sent only once: the number of calls of a run, in place of its seconds. */
  readonly calls?: number;
}

/** What is measured: the service, a floor, or a peer. */
export interface Contender {
  readonly name: string;
  /** The process whose processor time is counted. */
  readonly pid: number;
  /** Pause after each run, which belongs to it: the service writes to Redis a moment later. */
  readonly settleMs?: number;
  readonly run: (load: Load) => Promise<LoadResult>;
}

/** One contender under one load: medians of its rounds, and sums of errors. */
export interface Measured {
  readonly name: string;
  readonly callers: number;
  readonly callsPerSecond: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  readonly replyBytes: number;
  readonly errors: number;
  readonly firstError?: string;
  readonly shortReplies: number;
  /** Microseconds of processor time a call of the contender's process; on Linux only. */
  readonly cpuMicros?: number;
  /** Processors that its process used. */
  readonly busy?: number;
  /** The same in Redis; undefined without one. */
  readonly redis?: RedisCost;
  /** Calls a second of each round. */
  readonly rounds: readonly number[];
}

/** The number of runs under one load. */
export interface Effort {
  readonly load: Load;
  readonly rounds: number;
}

/** What the loop needs beside the contenders. */
export interface Loop {
  readonly efforts: readonly Effort[];
  /** The Redis that the contenders use, to count what a call takes there. */
  readonly redis: Redis | undefined;
}

interface Sample extends LoadResult {
  readonly cpuMicros: number | undefined;
  readonly busy: number | undefined;
  readonly redis: RedisCost | undefined;
}

/**
 * The one loop that measures: every contender under every load, rotated, so that drift of the machine affects all alike.
 * Throws when a run has no reply.
 */
export async function measureRounds(contenders: readonly Contender[], loop: Loop): Promise<Measured[]> {
  const measured: Measured[] = [];
  for (const { load, rounds } of loop.efforts) {
    const samples = new Map<Contender, Sample[]>(contenders.map((one) => [one, []]));
    for (const one of rotated(rounds, ...contenders)) samples.get(one)?.push(await runOnce(one, load, loop));
    for (const [{ name }, own] of samples) measured.push(summary(name, load, own));
  }
  return measured;
}

async function runOnce(contender: Contender, load: Load, { redis }: Loop): Promise<Sample> {
  const usedBefore = redis && (await readUsage(redis));
  const cpuBefore = cpuMicros(contender.pid);
  const result = await contender.run(load);
  await sleep(contender.settleMs ?? 0);
  const cpuAfter = cpuMicros(contender.pid);
  if (result.calls === 0) {
    throw new Error(`${contender.name}: a run without a reply: ${result.firstError ?? "too slow"}`);
  }
  const micros = cpuBefore === undefined || cpuAfter === undefined ? undefined : cpuAfter - cpuBefore;
  return {
    ...result,
    cpuMicros: micros && micros / result.calls,
    busy: micros && micros / (result.seconds * 1_000_000),
    redis: redis && usedBefore && costBetween(usedBefore, await readUsage(redis), result.calls),
  };
}

function summary(name: string, load: Load, samples: readonly Sample[]): Measured {
  const of = (key: "callsPerSecond" | "p50Ms" | "p95Ms" | "p99Ms" | "replyBytes"): number =>
    median(samples.map((one) => one[key]));
  const sum = (key: "errors" | "shortReplies"): number => samples.reduce((all, one) => all + one[key], 0);
  const cpu = samples.flatMap((one) => one.cpuMicros ?? []);
  const busy = samples.flatMap((one) => one.busy ?? []);
  const costs = samples.flatMap((one) => one.redis ?? []);
  const firstError = samples.find((one) => one.firstError !== undefined)?.firstError;
  return {
    name,
    callers: load.connections * load.streams,
    callsPerSecond: of("callsPerSecond"),
    p50Ms: of("p50Ms"),
    p95Ms: of("p95Ms"),
    p99Ms: of("p99Ms"),
    replyBytes: of("replyBytes"),
    errors: sum("errors"),
    shortReplies: sum("shortReplies"),
    ...(firstError === undefined ? {} : { firstError }),
    ...(cpu.length === 0 ? {} : { cpuMicros: median(cpu) }),
    ...(busy.length === 0 ? {} : { busy: median(busy) }),
    ...(costs.length === 0 ? {} : { redis: medianCost(costs) }),
    rounds: samples.map((one) => one.callsPerSecond),
  };
}

/**
 * A B C, B C A, C A B ...: drift affects all alike, and of three or more none runs twice in a row, with warm processor
 * caches.
 */
export function rotated<T>(rounds: number, ...contenders: readonly T[]): T[] {
  return Array.from({ length: rounds }, (_, round) => {
    const first = round % contenders.length;
    return [...contenders.slice(first), ...contenders.slice(0, first)];
  }).flat();
}

/** How the service compares with another contender under the same load. */
export interface Ratio {
  /** Calls a second of the service / those of the other: of the medians, and the extremes of the rounds. */
  readonly throughput: number;
  readonly lowest: number;
  readonly highest: number;
  /** Processor time a call of the other, with its Redis, / the service's, with its Redis. */
  readonly cpu?: number;
  /** Latency of the other / the service's. */
  readonly p50: number;
  readonly p95: number;
}

export function ratioOf(service: Measured, other: Measured): Ratio {
  const each = service.rounds.map((rate, round) => rate / (other.rounds[round] ?? Number.NaN));
  const total = ({ cpuMicros, redis }: Measured): number =>
    (cpuMicros ?? Number.NaN) + (redis?.cpuMicrosPerCall ?? 0);
  const cpu = total(other) / total(service);
  return {
    throughput: service.callsPerSecond / other.callsPerSecond,
    lowest: Math.min(...each),
    highest: Math.max(...each),
    ...(Number.isNaN(cpu) ? {} : { cpu }),
    p50: other.p50Ms / service.p50Ms,
    p95: other.p95Ms / service.p95Ms,
  };
}
