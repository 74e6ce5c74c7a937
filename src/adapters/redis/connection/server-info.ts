import { RecollectError } from "../../../domain/errors.ts";
import type { RedisClient } from "./client.ts";
import { isForbidden, refused } from "./errors.ts";
import { listOf, textOf } from "./replies.ts";

/** Properties of a Redis, read at the start. */
export interface RedisServerInfo {
  readonly version: string;
  readonly topology: RedisClient["topology"];
  /** Name and version of each module, such as `search 2.8.12`, on every server. */
  readonly modules: readonly string[];
  readonly maxmemoryPolicy: string;
  /** `aof (everysec)`, `rdb`, `none`, or `unknown` where Redis does not say. */
  readonly persistence: string;
}

/** The first with `#!lua` scripts and their flags. */
const OLDEST_MAJOR = 7;

/** Policies that evict keys without an expire time. */
const EVICTING = "allkeys-";

/**
 * Reads the info of each server, and returns the oldest version and the riskiest settings. Rejects with
 * STORE_UNAVAILABLE, naming what is missing, when Recollect cannot run on it.
 */
export async function probe(client: RedisClient): Promise<RedisServerInfo> {
  const sections = await Promise.all(
    ["server", "memory", "persistence", "modules"].map((section) => client.commandToEach("INFO", section)),
  );
  const servers = (sections[0] ?? []).map((_, at) =>
    readInfo(...sections.map((replies) => textOf(replies[at]) ?? "")),
  );
  const [version = ""] = servers.map((info) => info.get("redis_version") ?? "").sort(byVersion);
  const major = Number.parseInt(version, 10);
  if (!(major >= OLDEST_MAJOR)) {
    throw refused(`this Redis is version ${version || "unknown"}; Redis Stack 7.2 or newer is needed`);
  }
  const modules = servers.map((info) =>
    [...info.keys()].filter((key) => key.startsWith("module:name=")).map(moduleOf),
  );
  // The module name of Redis Stack; Redis Enterprise and Redis 8 may use another, so a command decides.
  const isNamed = modules.every((names) => names.some((name) => name.startsWith("search")));
  if (!isNamed && !(await hasSearch(client))) {
    throw refused(
      "this Redis has no search module (FT.SEARCH); Redis Stack 7.2, Redis 8 or Redis Cloud has it",
    );
  }
  const policies = servers.map((info) => info.get("maxmemory_policy") ?? "unknown");
  return {
    version,
    topology: client.topology,
    modules: [...new Set(modules.flat())],
    maxmemoryPolicy: policies.find((policy) => policy.startsWith(EVICTING)) ?? policies[0] ?? "unknown",
    persistence: await persistenceOf(client, servers),
  };
}

/** Risks that acknowledged data is lost, for operators; one line each. */
export function riskOf({ maxmemoryPolicy, persistence }: RedisServerInfo): string[] {
  const risks: string[] = [];
  if (maxmemoryPolicy.startsWith(EVICTING)) {
    risks.push(
      `maxmemory-policy of Redis is ${maxmemoryPolicy}: it deletes memories when memory is full; set noeviction`,
    );
  }
  if (persistence === "none") {
    risks.push("Redis keeps nothing on disk: a restart loses every memory; set appendonly yes");
  }
  return risks;
}

function readInfo(...sections: readonly string[]): Map<string, string> {
  const lines = sections.flatMap((section) => section.split("\r\n"));
  return new Map(
    lines
      .filter((line) => line.includes(":") && !line.startsWith("#"))
      .map((line) => {
        // module:name=search,ver=20812,... comes once a module; the name makes the key.
        const end = line.startsWith("module:") ? line.length : line.indexOf(":");
        return [line.slice(0, end), line.slice(end + 1)];
      }),
  );
}

/** `module:name=search,ver=20812,api=1,...` as `search 2.8.12`. */
function moduleOf(line: string): string {
  const [, name = "", version = ""] = /name=([^,]+),ver=(\d+)/.exec(line) ?? [];
  const number = Number(version);
  return `${name} ${Math.floor(number / 10_000)}.${Math.floor(number / 100) % 100}.${number % 100}`;
}

async function hasSearch(client: RedisClient): Promise<boolean> {
  try {
    await client.commandToEach("FT._LIST");
    return true;
  } catch (error) {
    if (error instanceof RecollectError) throw error;
    return false;
  }
}

/** The weakest persistence of all servers. */
async function persistenceOf(
  client: RedisClient,
  servers: readonly ReadonlyMap<string, string>[],
): Promise<string> {
  if (servers.every((info) => info.get("aof_enabled") === "1")) {
    const syncs = await configOf(client, "appendfsync");
    return `aof${inBrackets(["no", "everysec", "always"].find((sync) => syncs?.includes(sync)))}`;
  }
  const saves = await configOf(client, "save");
  if (saves === undefined) return "unknown";
  return servers.some((info, at) => info.get("aof_enabled") !== "1" && saves[at] === "") ? "none" : "rdb";
}

function inBrackets(text: string | undefined): string {
  return text === undefined ? "" : ` (${text})`;
}

/** A setting of each server. Undefined when the user lacks the permission, or the service lacks the command. */
async function configOf(client: RedisClient, name: string): Promise<(string | undefined)[] | undefined> {
  try {
    const replies = await client.commandToEach("CONFIG", "GET", name);
    return replies.map((reply) => textOf(listOf(reply)[1]));
  } catch (error) {
    // In both cases the setting is unknown.
    if (error instanceof RecollectError && !isForbidden(error)) throw error;
    return undefined;
  }
}

function byVersion(a: string, b: string): number {
  return a.localeCompare(b, "en", { numeric: true });
}
