import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startApp } from "../start-app.ts";
import { removeAll, settingsOf } from "./backend.ts";
import { connectTo } from "./client.ts";
import { brokenInvariants } from "./invariants.ts";
import { describeSharedRedis } from "./run.ts";

await describeSharedRedis("what must be true of all keys", ({ url }) => {
  const name = `test-${randomBytes(8).toString("hex")}`;
  const prefix = `${name}:`;
  const partition = `${prefix}{p00}:`;
  let number: string;

  beforeAll(async () => {
    const { hostname, port } = new URL(url);
    await using app = await startApp({
      env: {
        MEMORY_BACKEND: "redis",
        REDIS_HOST: hostname,
        REDIS_PORT: port,
        REDIS_PREFIX: prefix,
        VECTOR_INDEX_NAME: `${name}:memories`,
        VECTOR_DIM: "64",
      },
    });
    await app.memory.createMemory({ memory: { id: "a", text: "a memory", sessionId: "s", userId: "u" } });
    await app.memory.createMemory({
      memory: { id: "b", text: "another", expiration: { case: "ttl", value: { seconds: 3600n } } },
    });
    await app.memory.getMemory({ id: "a" });
    await app.cache.storeCacheEntry({
      prompt: { prompt: { case: "text", value: "a question" } },
      origin: { case: "scope", value: { model: "m" } },
      response: "an answer",
    });
    using redis = connectTo(url);
    number = (await redis.hget(`${partition}namespaces`, "default:default")) ?? "";
  });
  afterAll(() => removeAll(settingsOf(url), name));

  it("is true of what the server has written", async () => {
    expect(await brokenInvariants(url, prefix)).toEqual([]);
  });

  // What a change that was broken off in its middle would leave, one at a time.
  it.each([
    ["a memory that is not in the order of time", "ZREM n:order a"],
    ["an order with a missing memory", "ZADD n:order 1 gone"],
    ["a memory that is counted twice", "HINCRBY n:counters memories 1"],
    ["terms that are counted twice", "HINCRBY n:counters terms 1"],
    ["a frequency too high", "HINCRBY n:df gone 1"],
    ["a size too high", "HINCRBY n:sizes u00000000000000000000 1"],
    ["a duplicate that does not exist", "ZADD n:duplicates 0 key:0:gone"],
    ["an expire time of a missing memory", "ZADD ending 1 NUMBER/gone"],
    ["a pending memory that does not exist", "ZADD waiting 1 NUMBER/gone"],
    ["an access to a missing memory", "HSET n:access gone 1"],
    ["a session with a missing memory", "ZADD n:session:s00000000000000000000 1 gone"],
    ["a memory of a missing namespace", "HSET m:ffffffffffffffff:gone tok x"],
    ["a memory that nothing counts", "COPY m:NUMBER:a m:NUMBER:copy"],
    ["a memory half written", "HDEL m:NUMBER:a terms"],
    ["an unlisted cache entry", "HSET c:NUMBER:gone rec {}"],
    ["an answer that is counted twice", "HINCRBY n:counters cache_bytes 1"],
    ["an order with a missing cache entry", "ZADD n:cache:order 1 gone"],
    ["a namespace without its name", "HSET namespaces default:gone ffffffffffffffff"],
    ["a change of a missing namespace", "ZADD changed 1 ffffffffffffffff/u"],
    ["a changed user without a number", "ZADD changed 1 NUMBER/other"],
    ["a compaction that does not exist", "ZADD compaction:unfinished 0 gone/NUMBER"],
    ["an end of a missing compaction", "ZADD compaction:ended 1 gone/NUMBER"],
    ["an order with a missing compaction", "ZADD n:compaction:order 1 gone"],
    ["a missing compaction that excludes others", "HSET n:compaction:active * gone"],
    ["a plan without its compaction", "HSET n:compaction:groups:gone 1 {}"],
    ["a compaction that is not listed", "HSET n:compaction:run:gone rec {}"],
    ["a key without an owner", "SET other 1"],
  ])("is not true of %s", async (_, command) => {
    using redis = connectTo(url);
    const [verb = "", ...words] = command.replaceAll("NUMBER", number).split(" ");
    const isKey = (at: number): boolean => at === 0 || (verb === "COPY" && at === 1);
    const args = words.map((word, at) =>
      isKey(at) ? `${partition}${word.replace(/^n:/, `n:${number}:`)}` : word,
    );
    const keys = args.filter((_word, at) => isKey(at));
    const before = await Promise.all(keys.map((key) => redis.dumpBuffer(key)));
    await redis.call(verb, ...args);
    try {
      expect(await brokenInvariants(url, prefix).catch((error: Error) => [error.message])).not.toEqual([]);
    } finally {
      for (const [at, key] of keys.entries()) {
        await redis.del(key);
        const dump = before[at];
        if (dump != null) await redis.restore(key, 0, dump);
      }
    }
    expect(await brokenInvariants(url, prefix)).toEqual([]);
  });
});
