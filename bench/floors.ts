import type { Redis } from "ioredis";
import type { CallTrips, Command } from "./contenders/commands.ts";
import { BATCH_SIZE } from "./data.ts";
import { fastestSearch } from "./fastest-search.ts";
import type { SeenCommand } from "./redis-monitor.ts";

/** A request of a case, its reply, and the commands that Redis executed for it. */
export interface RecordedCall {
  readonly request: Uint8Array;
  readonly reply: Buffer;
  /** The ids that the reply holds. */
  readonly page: readonly string[];
  readonly seen: readonly SeenCommand[];
}

/** The least work of Redis that gives the replies of a case. */
export interface Floor {
  /** Description. */
  readonly what: string;
  /** By request. */
  readonly calls: readonly CallTrips[];
}

/** Makes the floor of a case from what the service did. Throws when the commands it needs are missing. */
export type FloorOf = (redis: Redis, recorded: readonly RecordedCall[]) => Promise<Floor>;

/** By the name of a case. */
export const FLOORS: Readonly<Record<string, FloorOf>> = {
  "exact cache hit": each("one HMGET of the entry", entryOf),
  "semantic cache hit": fastestSearch,
  "search HYBRID": fastestSearch,
  "search VECTOR": fastestSearch,
  "search KEYWORD": fastestSearch,
  "batch create of 100": each("one HSET a memory into the same index, in one pipeline", hashesOf),
};

function each(what: string, commandsOf: (seen: readonly SeenCommand[]) => readonly Command[]): FloorOf {
  return async (_redis, recorded) => ({ what, calls: recorded.map(({ seen }) => [commandsOf(seen)]) });
}

/** HMGET of version and record, even when the service read only the version, because it had the record cached. */
function entryOf(seen: readonly SeenCommand[]): Command[] {
  const read = seen.find(({ command: [name, , field] }) => isNamed(name, "HMGET") && field === "version");
  if (read === undefined) throw new Error("no entry was read in a call");
  return [["HMGET", read.command[1] ?? "", "version", "rec"]];
}

function hashesOf(seen: readonly SeenCommand[]): Command[] {
  const hashes = seen.flatMap(({ command }): Command[] =>
    isNamed(command[0], "HSET") && command.includes("tok") ? [command] : [],
  );
  if (hashes.length !== BATCH_SIZE) throw new Error(`${hashes.length} memories were written in a call`);
  return hashes;
}

function isNamed(name: string, wanted: string): boolean {
  return name.toUpperCase() === wanted;
}
