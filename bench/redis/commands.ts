import { deserialize, serialize } from "node:v8";
import type { Redis, RedisOptions } from "ioredis";
import { readFrames, writeFrames } from "../frames.ts";

export type Command = readonly [name: string, ...args: (string | Buffer)[]];

/** The commands of one round trip. */
export type RoundTrip = readonly Command[];

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
export async function send(redis: Redis, trip: RoundTrip): Promise<void> {
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

/** Writes round trips to a file for another process, as frames.ts does with messages. */
export function writeTrips(path: string, trips: readonly RoundTrip[]): void {
  writeFrames(
    path,
    trips.map((trip) => serialize(trip)),
  );
}

/** Reads what `writeTrips` wrote. */
export function readTrips(path: string): RoundTrip[] {
  return readFrames(path).map((frame) => deserialize(frame) as RoundTrip);
}
