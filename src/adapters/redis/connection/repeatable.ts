import type { Command } from "./client.ts";
import type { Script } from "./script.ts";

/**
 * What may be sent a second time when the connection broke before it was answered, for nobody can say whether Redis
 * carried it out:
 *
 * - reads: these commands, pipelines of them alone, and scripts that say `no-writes`;
 * - changes with a request_id (`NamespaceScript.mayRepeat`): the record that the first one left answers the second.
 *
 * Nothing else: a change without a request_id that was carried out would answer the second time that the id is taken,
 * the etag is another or the memory is gone, and counters would count twice.
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
 * Whether it was sent, and the connection broke before the answer came. Not what waited too long in a line that moves:
 * it would stand at the end of it again.
 */
export function wasLost(error: unknown): boolean {
  return error instanceof Error && LOST.has(error.name);
}

/** How ioredis names what it lets go of when a connection closes. */
const LOST: ReadonlySet<string> = new Set(["MaxRetriesPerRequestError", "AbortError"]);
