import type { Command } from "./client.ts";
import type { Script } from "./script.ts";

/**
 * Commands that may be sent a second time when the connection broke before they were answered, though Redis may have
 * carried them out:
 *
 * - reads: these commands, pipelines of them alone, and scripts that say `no-writes`;
 * - changes with a request_id (`NamespaceCall.mayRetry`): the idempotency record of the first one answers the second.
 *
 * No others: a change without a request_id that was carried out would answer the second time that the id is taken, the
 * etag is another or the memory does not exist, and counters would count twice.
 */
const READS: ReadonlySet<string> = new Set([
  ...["FT.SEARCH", "FT._LIST", "INFO", "PING"],
  ...["EXISTS", "HEXISTS", "HGET", "HGETALL", "HMGET", "HVALS", "MGET", "SMEMBERS"],
  ...["ZCARD", "ZCOUNT", "ZRANGE", "ZSCAN"],
]);

export function areReads(commands: readonly Command[]): boolean {
  return commands.every(([name]) => READS.has(name));
}

export function onlyReads({ effect }: Pick<Script<never, unknown>, "effect">): boolean {
  return effect === "reads";
}

/**
 * Whether a command was sent, and the connection broke before the answer came. False for a command that timed out on a
 * connection that lives: a second one would wait behind it.
 */
export function wasLost(error: unknown): boolean {
  return error instanceof Error && LOST.has(error.name);
}

/** The errors of ioredis for commands that were pending when the connection closed. */
const LOST: ReadonlySet<string> = new Set(["MaxRetriesPerRequestError", "AbortError"]);
