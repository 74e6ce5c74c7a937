import { BATCH_SIZE } from "../data.ts";
import type { Command, RoundTrip } from "./commands.ts";
import type { SeenCommand } from "./monitor.ts";

/** The minimum of Redis work in a case. */
export interface Floor {
  /** Description. */
  readonly what: string;
  /** Target of the service as a share of the floor's throughput; undefined without a target. */
  readonly target?: number;
  /** The commands that the floor sends, from those that Redis executed for one call. Throws when they are missing. */
  readonly trip: (seen: readonly SeenCommand[]) => RoundTrip;
}

const ONE_SEARCH: Floor = { what: "the same FT.SEARCH", trip: (seen) => searches(seen, 1) };

/** By the name of a case. */
export const FLOORS: Readonly<Record<string, Floor>> = {
  "exact cache hit": { what: "one HMGET of the entry", target: 0.85, trip: entryOf },
  "semantic cache hit": { ...ONE_SEARCH, target: 0.8 },
  "search HYBRID": {
    what: "the same two FT.SEARCH in one pipeline",
    target: 0.7,
    trip: (seen) => searches(seen, 2),
  },
  "search VECTOR": ONE_SEARCH,
  "search KEYWORD": ONE_SEARCH,
  "batch create of 100": {
    what: "one HSET a memory into the same index, in one pipeline",
    target: 0.7,
    trip: hashesOf,
  },
};

function searches(seen: readonly SeenCommand[], count: number): RoundTrip {
  const found = seen.flatMap(({ command }) => (command[0] === "FT.SEARCH" ? [command] : []));
  if (found.length !== count) throw new Error(`${found.length} FT.SEARCH instead of ${count} in a call`);
  return found;
}

/** HMGET of version and record, even when the service read only the version, because it had the record cached. */
function entryOf(seen: readonly SeenCommand[]): RoundTrip {
  const read = seen.find(({ command: [name, , field] }) => isNamed(name, "HGET") && field === "version");
  if (read === undefined) throw new Error("no entry was read in a call");
  return [["HMGET", read.command[1] ?? "", "version", "rec"]];
}

function hashesOf(seen: readonly SeenCommand[]): RoundTrip {
  const hashes = seen.flatMap(({ command }): Command[] =>
    isNamed(command[0], "HSET") && command.includes("tok") ? [command] : [],
  );
  if (hashes.length !== BATCH_SIZE) throw new Error(`${hashes.length} memories were written in a call`);
  return hashes;
}

function isNamed(name: string, wanted: string): boolean {
  return name.toUpperCase() === wanted;
}
