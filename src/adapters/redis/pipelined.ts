import type { Redis } from "ioredis";
import type { Command, Reply } from "./servers.ts";

/** Sends commands to one server in one round trip; answers what became of each. */
export async function pipelined(redis: Redis, commands: readonly Command[]): Promise<(Reply | Error)[]> {
  const pipeline = redis.pipeline();
  for (const [name, ...args] of commands) pipeline.callBuffer(name, ...args);
  const results = (await pipeline.exec()) ?? [];
  return results.map(([error, result]) => error ?? (result as Reply));
}
