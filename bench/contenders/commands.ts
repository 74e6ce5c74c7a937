import { deserialize, serialize } from "node:v8";
import type { Redis, RedisOptions } from "ioredis";
import { readFrames, writeFrames } from "../frames.ts";

export type Command = readonly [name: string, ...args: (string | Buffer)[]];

/** The commands of one round trip. */
export type RoundTrip = readonly Command[];

/** The round trips of one call, made one after the other. */
export type CallTrips = readonly RoundTrip[];

/** The connection options of the service (src/adapters/redis/connection/client.ts), so that floors differ only by our code. */
export const connectionOptions = {
  lazyConnect: true,
  commandTimeout: 5000,
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  retryStrategy: () => null,
} as const satisfies RedisOptions;

/** Sends the commands and resolves with all replies; rejects when Redis refuses a command. */
async function send(redis: Redis, trip: RoundTrip): Promise<void> {
  const [only] = trip;
  if (trip.length === 1 && only !== undefined) {
    const [name, ...args] = only;
    await redis.callBuffer(name, ...args);
    return;
  }
  const pipeline = redis.pipeline();
  for (const [name, ...args] of trip) pipeline.callBuffer(name, ...args);
  for (const [error] of (await pipeline.exec()) ?? []) if (error !== null) throw error;
}

/** Makes the round trips of a call, one after the other. */
export async function sendAll(redis: Redis, trips: CallTrips): Promise<void> {
  for (const trip of trips) await send(redis, trip);
}

/** Writes the round trips of calls to a file for another process, as frames.ts does with messages. */
export function writeTrips(path: string, calls: readonly CallTrips[]): void {
  writeFrames(
    path,
    calls.map((trips) => serialize(trips)),
  );
}

/** Reads what `writeTrips` wrote. */
export function readTrips(path: string): CallTrips[] {
  return readFrames(path).map((frame) => deserialize(frame) as CallTrips);
}
