/**
 * The load generator, in a process of its own: reads one LoadPlan a line from standard input, and prints one LoadResult
 * a line after each load. Ends at the end of its input.
 */
import process from "node:process";
import { createInterface } from "node:readline";
import { readFrames } from "./frames.ts";
import { frameOf, GrpcConnection } from "./grpc-connection.ts";
import { loadFigures } from "./statistics.ts";

/** A load on one server. It ends at the first bound; calls in flight are awaited. */
export interface LoadPlan {
  /** host:port */
  readonly address: string;
  /** Such as /recollect.v1.CacheService/LookupCache. */
  readonly path: string;
  /** A file of encoded requests (frames.ts), sent round robin. */
  readonly requests: string;
  /** Index of the first request. */
  readonly offset: number;
  readonly connections: number;
  /** Concurrent calls on each connection. */
  readonly streams: number;
  readonly seconds: number;
  readonly calls?: number;
  /** Replies of fewer bytes are counted as short: a miss where a hit is expected. */
  readonly shortBelow: number;
}

/** The result of a load. */
export interface LoadResult {
  readonly calls: number;
  readonly seconds: number;
  readonly callsPerSecond: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  readonly errors: number;
  /** Message of the first error. */
  readonly firstError?: string;
  readonly shortReplies: number;
  /** Mean bytes of a reply; differs when two servers do different work. */
  readonly replyBytes: number;
}

const CALL_TIMEOUT = "30S";
const MAX_SECONDS = 120;

const files = new Map<string, readonly Buffer[]>();
for await (const line of createInterface({ input: process.stdin })) {
  const plan = JSON.parse(line) as LoadPlan;
  process.stdout.write(`${JSON.stringify(await apply(plan))}\n`);
}

async function apply(plan: LoadPlan): Promise<LoadResult> {
  const requests = files.get(plan.requests) ?? readFrames(plan.requests).map(frameOf);
  files.set(plan.requests, requests);
  const connections = await Promise.all(
    Array.from({ length: plan.connections }, () => GrpcConnection.open(plan.address)),
  );

  const durations: number[] = [];
  let replyBytes = 0;
  let shortReplies = 0;
  let errors = 0;
  let firstError: string | undefined;
  let sent = 0;
  const start = performance.now();
  const end = start + Math.min(plan.seconds, MAX_SECONDS) * 1000;
  const bound = plan.calls ?? Number.POSITIVE_INFINITY;

  /** One call after the other until a bound is reached. */
  const work = (connection: GrpcConnection): Promise<void> =>
    new Promise((resolve) => {
      const next = (): void => {
        const begin = performance.now();
        const request = requests[(plan.offset + sent) % requests.length];
        if (begin >= end || sent >= bound || request === undefined) {
          resolve();
          return;
        }
        sent += 1;
        connection.call(plan.path, request, CALL_TIMEOUT, (failure, bytes) => {
          if (failure === undefined) {
            durations.push(performance.now() - begin);
            replyBytes += bytes;
            if (bytes < plan.shortBelow) shortReplies += 1;
          } else {
            errors += 1;
            firstError ??= failure;
          }
          next();
        });
      };
      next();
    });
  await Promise.all(
    connections.flatMap((connection) => Array.from({ length: plan.streams }, () => work(connection))),
  );

  const seconds = (performance.now() - start) / 1000;
  for (const connection of connections) connection[Symbol.dispose]();
  return {
    ...loadFigures(durations, seconds),
    errors,
    ...(firstError === undefined ? {} : { firstError }),
    shortReplies,
    replyBytes: replyBytes / durations.length,
  };
}
