import type { Command } from "./client.ts";
import type { Script } from "./script.ts";

/**
 * Commands that may be retried when the connection broke before their reply, although Redis may have executed them:
 *
 * - reads: these commands, pipelines of only these, and scripts with `no-writes`;
 * - writes with a request_id (`NamespaceCall.mayRetry`): the idempotency record of the first replays its outcome.
 *
 * No others: the retry of an executed write without a request_id would report that the id exists, the etag differs or the
 * memory does not exist, and counters would count twice.
 */
const READS: ReadonlySet<string> = new Set([
  ...["FT.SEARCH", "FT._LIST", "INFO", "PING"],
  ...["EXISTS", "HEXISTS", "HGET", "HGETALL", "HMGET", "HVALS", "MGET", "SMEMBERS"],
  ...["ZCARD", "ZCOUNT", "ZRANGE", "ZSCAN", "XRANGE", "XREVRANGE"],
]);

export function areReads(commands: readonly Command[]): boolean {
  return commands.every(([name]) => READS.has(name));
}

export function onlyReads({ effect }: Pick<Script<never, unknown>, "effect">): boolean {
  return effect === "reads";
}

/**
 * Whether the connection broke before the reply to a command. False for a timeout on a live connection: a retry would be
 * queued behind the command.
 */
export function wasLost(error: unknown): boolean {
  return error instanceof Error && LOST.has(error.name);
}

/** The errors of ioredis for commands that were pending when the connection closed. */
const LOST: ReadonlySet<string> = new Set(["MaxRetriesPerRequestError", "AbortError"]);
