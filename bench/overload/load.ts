/**
 * The load generator of overload.ts, in a process of its own: reads one OpenLoadPlan a line from standard input, and
 * prints one OpenLoadResult a line when all its calls have ended. Open loop: calls are sent at their time whether or not
 * earlier ones have been answered, as many independent clients do.
 */
import process from "node:process";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fromBinary } from "@bufbuild/protobuf";
import {
  LookupCacheResponseSchema,
  LookupCacheResponse_Miss_Reason as MissReason,
} from "#gen/recollect/v1/cache_pb.js";
import { readFrames } from "../frames.ts";
import { randomOf } from "../random.ts";
import { quantile } from "../statistics.ts";
import { type CallEnd, DeadlineConnection } from "./connection.ts";

/** One kind of call. */
export interface CallKind {
  readonly name: string;
  readonly path: string;
  /** A file of encoded requests (frames.ts), sent round robin. */
  readonly requests: string;
  /** Index of the first request. */
  readonly offset: number;
  /** Share of all calls, 0 to 1. */
  readonly share: number;
}

export interface OpenLoadPlan {
  /** host:port */
  readonly address: string;
  readonly kinds: readonly CallKind[];
  readonly connections: number;
  readonly deadlineMs: number;
  readonly seed: number;
  /** One after the other, without a pause. */
  readonly segments: readonly Segment[];
}

export type Segment =
  | { readonly seconds: number; readonly callsPerSecond: number }
  /** Closed loop: number of concurrent calls, each sent when one has ended. */
  | { readonly seconds: number; readonly streams: number };

export interface KindResult {
  readonly sent: number;
  /** Answered well within the deadline. */
  readonly succeeded: number;
  /** RESOURCE_EXHAUSTED. */
  readonly refused: number;
  readonly refusedWithoutRetryInfo: number;
  /** Calls by status code, as its number. */
  readonly codes: Readonly<Record<string, number>>;
  readonly succeededMs: Quantiles;
  readonly refusedMs: Quantiles;
  readonly allMs: Quantiles;
  /** Outcomes of lookups, such as EXACT or MISS_NOT_FOUND. */
  readonly outcomes: Readonly<Record<string, number>>;
  readonly firstFailure?: string;
}

export interface Quantiles {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

export interface SegmentResult {
  readonly seconds: number;
  readonly kinds: Readonly<Record<string, KindResult>>;
  /** Seconds from the beginning of the segment to the last call that was sent and did not succeed; 0: all did. */
  readonly lastFailureSeconds: number;
  /** Delay of calls after their planned time, in milliseconds. */
  readonly lateMs: Quantiles;
}

export interface OpenLoadResult {
  readonly segments: readonly SegmentResult[];
  /** Connections that the server, or an error, closed. */
  readonly connectionsLost: number;
}

const OK = 0;
const RESOURCE_EXHAUSTED = 8;

const files = new Map<string, readonly Buffer[]>();
class Tally {
  readonly #kind: CallKind;
  readonly #requests: readonly Buffer[];
  #next: number;
  #sent = 0;
  #withoutRetryInfo = 0;
  readonly #codes = new Map<number, number>();
  readonly #outcomes = new Map<string, number>();
  readonly #succeeded: number[] = [];
  readonly #refused: number[] = [];
  readonly #all: number[] = [];
  #firstFailure: string | undefined;

  constructor(kind: CallKind, requests: readonly Buffer[]) {
    this.#kind = kind;
    this.#requests = requests;
    this.#next = kind.offset;
  }

  get share(): number {
    return this.#kind.share;
  }

  get path(): string {
    return this.#kind.path;
  }

  /** The request to send now. */
  next(): Buffer {
    const request = this.#requests[this.#next % this.#requests.length];
    if (request === undefined) throw new RangeError(`no requests of ${this.#kind.name}`);
    this.#next += 1;
    this.#sent += 1;
    return request;
  }

  /** Whether it succeeded. */
  ended(end: CallEnd, durationMs: number): boolean {
    add(this.#codes, end.code);
    this.#all.push(durationMs);
    if (end.failure !== undefined) this.#firstFailure ??= end.failure;
    if (end.code === RESOURCE_EXHAUSTED) {
      this.#refused.push(durationMs);
      if (!end.hasRetryInfo) this.#withoutRetryInfo += 1;
    }
    if (end.code !== OK) return false;
    this.#succeeded.push(durationMs);
    if (this.#kind.path.endsWith("/LookupCache")) add(this.#outcomes, outcomeOf(end.reply));
    return true;
  }

  result(): KindResult {
    return {
      sent: this.#sent,
      succeeded: this.#succeeded.length,
      refused: this.#refused.length,
      refusedWithoutRetryInfo: this.#withoutRetryInfo,
      codes: Object.fromEntries(this.#codes),
      succeededMs: quantilesOf(this.#succeeded),
      refusedMs: quantilesOf(this.#refused),
      allMs: quantilesOf(this.#all),
      outcomes: Object.fromEntries(this.#outcomes),
      ...(this.#firstFailure === undefined ? {} : { firstFailure: this.#firstFailure }),
    };
  }

  get sent(): number {
    return this.#sent;
  }
}

/** The calls of one segment. */
class SegmentRun {
  readonly tallies: readonly Tally[];
  readonly start = performance.now();
  readonly late: number[] = [];
  readonly #pending: Promise<void>[] = [];
  lastFailureMs = 0;

  constructor(tallies: readonly Tally[]) {
    this.tallies = tallies;
  }

  send(connection: DeadlineConnection, deadlineMs: number, draw: number): Promise<void> {
    const tally = this.#drawn(draw);
    const begin = performance.now();
    const ended = new Promise<void>((resolve) => {
      connection.call(tally.path, tally.next(), deadlineMs, (end) => {
        const isGood = tally.ended(end, performance.now() - begin);
        if (!isGood) this.lastFailureMs = Math.max(this.lastFailureMs, begin - this.start);
        resolve();
      });
    });
    this.#pending.push(ended);
    return ended;
  }

  async result(names: readonly string[], seconds: number): Promise<SegmentResult> {
    await Promise.all(this.#pending);
    return {
      seconds,
      kinds: Object.fromEntries(this.tallies.map((tally, at) => [names[at] ?? "", tally.result()])),
      lastFailureSeconds: this.lastFailureMs / 1000,
      lateMs: quantilesOf(this.late),
    };
  }

  #drawn(draw: number): Tally {
    let left = draw;
    for (const tally of this.tallies) {
      left -= tally.share;
      if (left < 0) return tally;
    }
    const last = this.tallies.at(-1);
    if (last === undefined) throw new RangeError("no kinds of calls");
    return last;
  }
}

async function apply(plan: OpenLoadPlan): Promise<OpenLoadResult> {
  const connections = Array.from({ length: plan.connections }, () => new DeadlineConnection(plan.address));
  await Promise.all(connections.map((connection) => connection.open()));
  const random = randomOf(plan.seed);
  const offsets = new Map(plan.kinds.map(({ name, offset }) => [name, offset]));
  const runs: { readonly run: SegmentRun; readonly seconds: number }[] = [];
  for (const segment of plan.segments) {
    const run = new SegmentRun(
      plan.kinds.map((kind) => new Tally({ ...kind, offset: offsets.get(kind.name) ?? 0 }, requestsOf(kind))),
    );
    if ("streams" in segment) await closedLoop(run, connections, plan, segment, random);
    else await openLoop(run, connections, plan, segment, random);
    runs.push({ run, seconds: (performance.now() - run.start) / 1000 });
    for (const [at, { name }] of plan.kinds.entries())
      offsets.set(name, (offsets.get(name) ?? 0) + (run.tallies[at]?.sent ?? 0));
  }
  const names = plan.kinds.map(({ name }) => name);
  const segments = await Promise.all(runs.map(({ run, seconds }) => run.result(names, seconds)));
  for (const connection of connections) connection[Symbol.dispose]();
  return { segments, connectionsLost: connections.reduce((sum, { lost }) => sum + lost, 0) };
}

/** Calls come at random, independently of each other: the gaps between them are exponentially distributed. */
async function openLoop(
  run: SegmentRun,
  connections: readonly DeadlineConnection[],
  { deadlineMs }: OpenLoadPlan,
  { seconds, callsPerSecond }: Extract<Segment, { callsPerSecond: number }>,
  random: () => number,
): Promise<void> {
  const end = run.start + seconds * 1000;
  const gap = (): number => (-Math.log(1 - random()) * 1000) / callsPerSecond;
  let due = run.start + gap();
  let sent = 0;
  while (due < end) {
    const now = performance.now();
    while (due <= now && due < end) {
      run.late.push(now - due);
      const connection = connections[sent % connections.length];
      if (connection !== undefined) void run.send(connection, deadlineMs, random());
      sent += 1;
      due += gap();
    }
    await sleep(1);
  }
}

async function closedLoop(
  run: SegmentRun,
  connections: readonly DeadlineConnection[],
  { deadlineMs }: OpenLoadPlan,
  { seconds, streams }: Extract<Segment, { streams: number }>,
  random: () => number,
): Promise<void> {
  const end = run.start + seconds * 1000;
  await Promise.all(
    Array.from({ length: streams }, async (_, at) => {
      const connection = connections[at % connections.length];
      while (connection !== undefined && performance.now() < end)
        await run.send(connection, deadlineMs, random());
    }),
  );
}

function requestsOf({ requests }: CallKind): readonly Buffer[] {
  const read = files.get(requests) ?? readFrames(requests);
  files.set(requests, read);
  return read;
}

function outcomeOf(reply: Buffer): string {
  const { outcome } = fromBinary(LookupCacheResponseSchema, reply);
  if (outcome.case === "hit") return "HIT";
  return `MISS_${MissReason[outcome.value?.reason ?? 0] ?? outcome.value?.reason}`;
}

function add<K>(counts: Map<K, number>, key: K): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function quantilesOf(values: readonly number[]): Quantiles {
  return {
    p50: quantile(values, 0.5),
    p95: quantile(values, 0.95),
    p99: quantile(values, 0.99),
    max: quantile(values, 1),
  };
}

for await (const line of createInterface({ input: process.stdin })) {
  const plan = JSON.parse(line) as OpenLoadPlan;
  process.stdout.write(`${JSON.stringify(await apply(plan))}\n`);
}
