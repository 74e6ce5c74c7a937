// For suites that need Redis; both are awaited at the top of a test file:
//
//   await describeSharedRedis("memory store on Redis", ({ url }) => memoriesContract("redis", () => open(url)));
//   await describeRedisPrograms("Redis that is killed", () => { it(…, async () => { await using redis = await startRedis() … }) });
//
// Without Redis Stack, one test replaces them; it is skipped, or fails under CI=true, and names what to install.

import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { describe, inject, it } from "vitest";
import type { RedisPrograms } from "./programs.ts";
import type { Found, RedisOfRun } from "./source.ts";

/** A suite on the one server of this run, which other files use at the same time: each under its own REDIS_PREFIX. */
export async function describeSharedRedis(
  name: string,
  suite: (redis: { readonly url: string }) => void,
): Promise<void> {
  describeFound(name, (await redisOfThisRun()).shared, suite);
}

/** A suite that starts servers of its own, by `startRedis`, `startSentinel` or `startCluster`. */
export async function describeRedisPrograms(name: string, suite: () => void): Promise<void> {
  describeFound(name, (await redisOfThisRun()).programs, suite);
}

/** Throws when there are none. */
export async function programsOfThisRun(): Promise<RedisPrograms> {
  const { programs } = await redisOfThisRun();
  if ("missing" in programs) throw new Error(programs.missing);
  return programs;
}

function describeFound<T extends object>(name: string, found: Found<T>, suite: (found: T) => void): void {
  if (!("missing" in found)) {
    describe(name, () => suite(found));
    return;
  }
  describe(name, () => {
    it("needs Redis Stack", ({ skip }) => {
      if (process.env["CI"] === "true") throw new Error(found.missing);
      skip(found.missing);
    });
  });
}

async function redisOfThisRun(): Promise<RedisOfRun> {
  const answer = JSON.parse(await text(connect(inject("redisOfRunPort"), "127.0.0.1"))) as
    | { readonly redis: RedisOfRun }
    | { readonly error: string };
  if ("error" in answer) throw new Error(answer.error);
  return answer.redis;
}

/**
 * Where the one server of this run is; empty without Redis Stack, for a suite that is skipped then. Throws under CI=true,
 * and another file says what to install (see describeSharedRedis).
 */
export async function sharedRedisUrl(): Promise<string> {
  const { shared } = await redisOfThisRun();
  if (!("missing" in shared)) return shared.url;
  if (process.env["CI"] === "true") throw new Error(shared.missing);
  return "";
}
