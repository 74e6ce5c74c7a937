import type { CaseResult } from "./case-run.ts";
import { figures, SERVICE } from "./records.ts";
import { type Measured, ratioOf } from "./rounds.ts";
import type { Backend } from "./stage.ts";

/** What is measured: over which store. */
export interface Measurement {
  readonly backend: Backend;
  readonly memories: number;
  readonly dimension: number;
}

/** Least share of the floor's throughput. On the embedded store the floor is bare grpc-js. */
const SHARES: Readonly<Record<Backend, Readonly<Record<string, number>>>> = {
  embedded: { "exact cache hit": 0.7 },
  redis: {
    "exact cache hit": 0.75,
    "semantic cache hit": 0.8,
    "search HYBRID": 0.7,
    "batch create of 100": 0.7,
  },
};

/** Targets in absolute figures are for this store. */
const MEMORIES = 10_000;
const DIMENSION = 384;
const SEARCH_P50_MS = 5;
/** Most processor time of one HYBRID search, in milliseconds. */
const HYBRID_MS = { embedded: { process: 2 }, redis: { process: 1.8, redis: 1.8 } } as const;

/** Replies vary by a few bytes, in ages and ids; a larger difference means different replies. */
const REPLY_TOLERANCE = 0.05;
/** When neither the floor nor its Redis is busy for this share, the machine is the bottleneck. */
const SATURATED = 0.9;

/** A line for each target, met or not. */
export function targetLines(result: CaseResult, measurement: Measurement): string[] {
  return [...shareLines(result, measurement), ...absoluteLines(result, measurement)];
}

function shareLines(result: CaseResult, { backend }: Measurement): string[] {
  const least = SHARES[backend][result.name];
  const { service, floor } = concurrent(result);
  if (least === undefined || service === undefined || floor === undefined) return [];
  const { throughput, lowest, highest, cpu } = ratioOf(service, floor);
  return [
    `at least ${least} of the calls a second of ${result.titles[result.floor]}: ${figures(throughput)} ` +
      `(rounds ${figures(lowest)} to ${figures(highest)}; by processor time ${figures(cpu)}), ${verdict(throughput >= least)}`,
  ];
}

function absoluteLines(
  { name, measured }: CaseResult,
  { backend, memories, dimension }: Measurement,
): string[] {
  if (memories !== MEMORIES || dimension !== DIMENSION) return [];
  const lines: string[] = [];
  const alone = measured.find((one) => one.name === SERVICE && one.callers === 1);
  if (backend === "embedded" && name.startsWith("search") && alone !== undefined) {
    lines.push(
      `p50 < ${SEARCH_P50_MS} ms with one caller: ${figures(alone.p50Ms)} ms, ${verdict(alone.p50Ms < SEARCH_P50_MS)}`,
    );
  }
  const service = measured.find((one) => one.name === SERVICE && one.callers > 1);
  if (name !== "search HYBRID" || service === undefined) return lines;
  const most = HYBRID_MS[backend];
  const spent = { process: service.cpuMicros, redis: service.redis?.cpuMicrosPerCall };
  for (const [part, limit] of Object.entries(most)) {
    const value = (spent[part as keyof typeof spent] ?? Number.NaN) / 1000;
    const who = part === "redis" ? "Redis" : "the service's process";
    lines.push(
      `at most ${limit} ms of processor time of ${who}: ${figures(value)}, ${verdict(value <= limit)}`,
    );
  }
  return lines;
}

/** Warnings about unreliable figures of this run. */
export function warningLines(result: CaseResult): string[] {
  const { service, floor } = concurrent(result);
  const found = result.measured.flatMap(({ name, callers, errors, shortReplies, firstError }) => [
    ...(errors === 0 ? [] : [`${errors} calls to ${name} (${callers} callers) failed: ${firstError}`]),
    ...(shortReplies === 0 ? [] : [`${shortReplies} replies of ${name} (${callers} callers) are too short`]),
  ]);
  if (service === undefined || floor === undefined) return found;
  if (Math.abs(service.replyBytes / floor.replyBytes - 1) > REPLY_TOLERANCE) {
    found.push(
      `replies differ: ${service.replyBytes.toFixed(0)} bytes a call, the floor's ${floor.replyBytes.toFixed(0)}`,
    );
  }
  const redisBusy = ((floor.redis?.cpuMicrosPerCall ?? 0) * floor.callsPerSecond) / 1_000_000;
  if (Math.max(floor.busy ?? 1, redisBusy) < SATURATED) {
    const redis = floor.redis === undefined ? "" : `, its Redis for ${figures(redisBusy)}`;
    found.push(
      `the floor was busy for ${figures(floor.busy)} of the time${redis}: the load generator or other processes were the bottleneck, so the throughput ratio is too high; compare processor time`,
    );
  }
  return found;
}

/** The service and the floor under concurrent calls. */
function concurrent({ measured, floor }: CaseResult): {
  readonly service: Measured | undefined;
  readonly floor: Measured | undefined;
} {
  const of = (name: string): Measured | undefined =>
    measured.find((one) => one.name === name && one.callers > 1);
  return { service: of(SERVICE), floor: of(floor) };
}

function verdict(met: boolean): string {
  return met ? "met" : "not met";
}
