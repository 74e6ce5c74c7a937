import type { Redis } from "ioredis";
import { unavailable } from "./errors.ts";
import { sent } from "./pipeline.ts";
import type { Command, Reply } from "./servers.ts";

/** A synchronized replica answers within a round trip. Later commands on the connection wait that long too. */
const LIMIT_MS = 1000;

/**
 * Sends a write, and resolves when so many replicas have it (https://redis.io/docs/latest/commands/wait/): Sentinels and
 * clusters promote the most up-to-date replica, so that a failover does not lose it. Rejects with STORE_UNAVAILABLE when
 * too few have it in time; the write is done nevertheless, and a retry with its request_id gets its outcome.
 */
export function replicated(redis: Redis, command: Command, replicas: number): Promise<Reply> {
  return replicas === 0 ? sent(redis, command) : sendAndWait(redis, command, replicas);
}

async function sendAndWait(redis: Redis, command: Command, replicas: number): Promise<Reply> {
  const { stream } = redis;
  // A refused write rejects here, without WAIT.
  const reply = await sent(redis, command);
  // WAIT counts the writes of its own connection, so it says nothing after a reconnect in between.
  const held = redis.stream === stream ? await sent(redis, ["WAIT", replicas, LIMIT_MS]) : 0;
  if (Number(held) < replicas) {
    throw unavailable("too few replicas of Redis hold the change yet");
  }
  return reply;
}
