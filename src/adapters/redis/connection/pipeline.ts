import type { Redis } from "ioredis";
import { corkWrites } from "./corking.ts";
import type { Command, Reply } from "./servers.ts";

/** Sends a command to one server. */
export function sent(redis: Redis, [name, ...args]: Command): Promise<Reply> {
  corkWrites(redis);
  return redis.callBuffer(name, ...args) as Promise<Reply>;
}

/** Sends commands to one server in one round trip; resolves with the reply or error of each. */
export async function pipelined(redis: Redis, commands: readonly Command[]): Promise<(Reply | Error)[]> {
  // A pipeline of ioredis would write the same bytes at a higher cost.
  const results = await Promise.allSettled(commands.map((command) => sent(redis, command)));
  return results.map((result) => (result.status === "fulfilled" ? result.value : (result.reason as Error)));
}
