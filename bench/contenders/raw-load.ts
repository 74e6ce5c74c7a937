/**
 * The commands of a floor through ioredis without gRPC: reads one RawPlan a line from standard input, and prints one
 * LoadResult a line after each load. Ends at the end of its input.
 */
import process from "node:process";
import { createInterface } from "node:readline";
import { Redis } from "ioredis";
import type { LoadResult } from "../load.ts";
import { loadFigures } from "../statistics.ts";
import { type CallTrips, connectionOptions, readTrips, sendAll } from "./commands.ts";

/** A load that ends at the first bound; calls in flight are awaited. */
export interface RawPlan {
  readonly redisUrl: string;
  /** A file of the round trips of calls (commands.ts), made round robin. */
  readonly trips: string;
  /** Index of the first call. */
  readonly offset: number;
  /** Concurrent calls. */
  readonly width: number;
  readonly seconds: number;
  readonly calls?: number;
}

const files = new Map<string, readonly CallTrips[]>();
for await (const line of createInterface({ input: process.stdin })) {
  const plan = JSON.parse(line) as RawPlan;
  process.stdout.write(`${JSON.stringify(await apply(plan))}\n`);
}

async function apply(plan: RawPlan): Promise<LoadResult> {
  const trips = files.get(plan.trips) ?? readTrips(plan.trips);
  files.set(plan.trips, trips);
  const redis = new Redis(plan.redisUrl, connectionOptions);
  await redis.connect();
  const durations: number[] = [];
  let sent = 0;
  const start = performance.now();
  const end = start + plan.seconds * 1000;
  const bound = plan.calls ?? Number.POSITIVE_INFINITY;
  const work = async (): Promise<void> => {
    for (let begin = start; begin < end && sent < bound; begin = performance.now()) {
      const trip = trips[(plan.offset + sent) % trips.length] ?? [];
      sent += 1;
      const sentAt = performance.now();
      await sendAll(redis, trip);
      durations.push(performance.now() - sentAt);
    }
  };
  await Promise.all(Array.from({ length: plan.width }, work));
  const seconds = (performance.now() - start) / 1000;
  redis.disconnect();
  return {
    ...loadFigures(durations, seconds),
    errors: 0,
    shortReplies: 0,
    replyBytes: 0,
  };
}
