import type { Redis } from "ioredis";
import { unavailable } from "./errors.ts";
import { sent } from "./pipeline.ts";
import type { Command, Reply } from "./servers.ts";

/** A replica that is in step answers within a round trip. The next commands on the connection wait that long too. */
const LIMIT_MS = 1000;

/**
 * Sends a change, and answers when so many replicas hold it (https://redis.io/docs/latest/commands/wait/): Sentinels and
 * clusters make the replica that is furthest the next primary, so that a failover does not lose it. Rejects with
 * STORE_UNAVAILABLE where too few do in time; the change is made nevertheless, and a repeat with its request_id answers
 * so.
 */
export function replicated(redis: Redis, command: Command, replicas: number): Promise<Reply> {
  return replicas === 0 ? sent(redis, command) : sendAndWait(redis, command, replicas);
}

async function sendAndWait(redis: Redis, command: Command, replicas: number): Promise<Reply> {
  const { stream } = redis;
  // A change that is refused waits for nothing.
  const reply = await sent(redis, command);
  // WAIT answers for what its own connection has written, so for nothing on one that was made in between.
  const held = redis.stream === stream ? await sent(redis, ["WAIT", replicas, LIMIT_MS]) : 0;
  if (Number(held) < replicas) {
    throw unavailable("too few replicas of Redis hold the change yet");
  }
  return reply;
}
