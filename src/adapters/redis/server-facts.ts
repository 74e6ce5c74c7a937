import { RecollectError } from "../../domain/errors.ts";
import type { RedisClient } from "./client.ts";
import { refused } from "./meta.ts";
import { listOf, textOf } from "./replies.ts";

/** What a start finds out about the Redis that it is given. */
export interface ServerFacts {
  readonly version: string;
  readonly topology: "standalone" | "cluster";
  /** Name and version of each module, such as `search 2.8.12`. */
  readonly modules: readonly string[];
  readonly maxmemoryPolicy: string;
  /** `aof (everysec)`, `rdb`, `none`, or `unknown` where Redis does not say. */
  readonly persistence: string;
}

/** The first with `#!lua` scripts and their flags. */
const OLDEST_MAJOR = 7;

/** Asks Redis what it is. Rejects with STORE_UNAVAILABLE, and what is missing, when Recollect cannot work on it. */
export async function probe(client: RedisClient): Promise<ServerFacts> {
  const info = readInfo(
    ...(await Promise.all(
      ["server", "memory", "persistence", "modules", "cluster"].map(
        async (section) => textOf(await client.command("INFO", section)) ?? "",
      ),
    )),
  );
  const version = info.get("redis_version") ?? "";
  const major = Number.parseInt(version, 10);
  if (!(major >= OLDEST_MAJOR)) {
    throw refused(`this Redis is version ${version || "unknown"}; Redis Stack 7.2 or newer is needed`);
  }
  const modules = [...info.keys()].filter((key) => key.startsWith("module:name=")).map(moduleOf);
  // Named so by Redis Stack; Redis Enterprise and Redis 8 may say it otherwise, so the last word has the command.
  if (!modules.some((name) => name.startsWith("search")) && !(await hasSearch(client))) {
    throw refused(
      "this Redis has no search module (FT.SEARCH); Redis Stack 7.2, Redis 8 or Redis Cloud has it",
    );
  }
  return {
    version,
    topology: info.get("cluster_enabled") === "1" ? "cluster" : "standalone",
    modules,
    maxmemoryPolicy: info.get("maxmemory_policy") ?? "unknown",
    persistence: await persistenceOf(client, info),
  };
}

/** What an operator should know: data may be lost that was acknowledged. One line each. */
export function riskOf({ maxmemoryPolicy, persistence }: ServerFacts): string[] {
  const risks: string[] = [];
  if (maxmemoryPolicy.startsWith("allkeys-")) {
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
    await client.command("FT._LIST");
    return true;
  } catch (error) {
    if (error instanceof RecollectError) throw error;
    return false;
  }
}

async function persistenceOf(client: RedisClient, info: ReadonlyMap<string, string>): Promise<string> {
  if (info.get("aof_enabled") === "1") return `aof${inBrackets(await configOf(client, "appendfsync"))}`;
  const save = await configOf(client, "save");
  if (save === undefined) return "unknown";
  return save === "" ? "none" : "rdb";
}

function inBrackets(text: string | undefined): string {
  return text === undefined ? "" : ` (${text})`;
}

/** Undefined where the user may not ask, or the service has no such command. */
async function configOf(client: RedisClient, name: string): Promise<string | undefined> {
  try {
    return textOf(listOf(await client.command("CONFIG", "GET", name))[1]);
  } catch (error) {
    // Both mean the same here: nobody can say.
    if (error instanceof RecollectError && !isForbidden(error)) throw error;
    return undefined;
  }
}

function isForbidden(error: RecollectError): boolean {
  return error.detail.cause instanceof Error && error.detail.cause.message.startsWith("NOPERM");
}
