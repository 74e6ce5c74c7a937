import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { RedisChangeFeed } from "../../../src/adapters/redis/memory/changes.ts";
import { Namespaces } from "../../../src/adapters/redis/namespaces/namespace-ids.ts";
import { type FeedPosition, TRIM_STEP } from "../../../src/domain/memory/changes.ts";
import { memory, NOW, newMemory } from "../../support/builders.ts";
import { manualSleep } from "../../support/manual-sleep.ts";
import { openTestRedis } from "../../support/redis/backend.ts";
import { connectTo } from "../../support/redis/client.ts";
import { sharedRedisUrl } from "../../support/redis/run.ts";
import { connect } from "../../support/redis-cache.ts";
import { type RedisSandbox, type RedisStores, redisSandbox } from "../../support/redis-memories.ts";
import { openCountedWay } from "../../support/redis-trips.ts";
import { VECTOR_DIMENSION } from "../store-under-test.ts";

const url = await sharedRedisUrl();
const MODEL = { provider: "contract", model: "random", dimension: VECTOR_DIMENSION };
const SCOPE = { tenant: "t", namespace: "n" };
const BEGINNING: FeedPosition = { incarnation: "", sequence: 0, digest: "" };

/** Tests beyond the contract: the keys in Redis, and how it is asked. */
describe.skipIf(url === "")("change feeds in Redis", () => {
  let sandbox: RedisSandbox;
  let stores: RedisStores;
  beforeEach(async () => {
    sandbox = redisSandbox(url, MODEL);
    stores = await sandbox.open();
  });
  afterEach(async () => {
    await stores[Symbol.asyncDispose]();
    await sandbox[Symbol.asyncDispose]();
  });

  const entriesOf = async (): Promise<string> => {
    const partition = sandbox.keys.partition(0);
    const id = String(await stores.client.command("HGET", partition.namespaces, "t:n"));
    using redis = connectTo(url);
    return JSON.stringify(await redis.xrange(partition.namespace(id).changeFeed, "-", "+"));
  };

  it("have no content of memories", async () => {
    const { writer } = stores.memories;
    const one = memory({
      id: "one",
      text: "xyzzy",
      author: "xyzzy",
      tags: ["xyzzy"],
      metadata: { x: "xyzzy" },
    });
    await writer.create(SCOPE, [newMemory(one)], { now: NOW });
    const next = memory({ ...one, text: "plugh xyzzy", etag: "e2" });
    await writer.replace(SCOPE, one.etag, newMemory(next), { now: NOW });
    await writer.delete(SCOPE, "one", { now: NOW });
    expect(JSON.parse(await entriesOf())).toEqual([
      [`0-${NOW}`, ["c", ""]],
      [`1-${NOW}`, ["c", "Cone"]],
      [`2-${NOW}`, ["c", "Uone"]],
      [`3-${NOW}`, ["c", "Done"]],
    ]);
  });

  it("are asked for all waits in one round trip, while there are any", async () => {
    await using way = await openCountedWay(url);
    await using client = await connect(way.url);
    const sleep = manualSleep();
    const namespaces = new Namespaces(client, sandbox.keys);
    await using feed = new RedisChangeFeed(client, namespaces, sleep.sleep);
    const scopes = Array.from({ length: 20 }, (_, at) => ({ ...SCOPE, namespace: `n${at}` }));
    for (const scope of scopes)
      await stores.memories.writer.create(scope, [newMemory({ id: "m" })], { now: NOW });
    const positions = await Promise.all(scopes.map((scope) => feed.end(scope)));
    const abort = new AbortController();
    // Two calls wait in each namespace.
    const waits = [...scopes, ...scopes].map((scope, at) =>
      feed.wait(scope, positions[at % scopes.length] ?? BEGINNING, abort.signal),
    );
    await sleep.begun(1);
    const { trips, commands } = await way.cost(async () => {
      sleep.wake();
      await sleep.begun(2);
    });
    expect(trips).toBe(1);
    expect(commands).toBe(2 * scopes.length);
    abort.abort();
    await Promise.all(waits);
    sleep.wake();
    // The last poll has nothing to ask for, and no other follows.
    await feed.end(SCOPE);
    expect(sleep.durations).toEqual([200, 200]);
  });

  it("reach a lowered limit in bounded steps", async () => {
    const limits = (maxChanges: number) => ({ maxChanges, retentionMs: 1000 });
    await using redis = await openTestRedis(url, { embedder: MODEL, feedLimits: limits(1000) });
    using client = connectTo(url);
    const lengthAfter = async (ids: readonly string[]): Promise<number> => {
      const items = ids.map((id) => newMemory({ id }));
      await redis.backend.memories.writer.create(SCOPE, items, { now: NOW });
      const [key = ""] = await client.keys(`${redis.name}:*:feed`);
      return client.xlen(key);
    };
    expect(await lengthAfter(Array.from({ length: 60 }, (_, at) => `m${at}`))).toBe(61);
    await redis.reopen({ feedLimits: limits(10) });
    const counts: number[] = [];
    for (const id of ["a", "b", "c", "d"]) counts.push(await lengthAfter([id]));
    // As on the embedded store: see changes.test.ts there.
    expect(counts).toEqual([61 - TRIM_STEP, 61 - 2 * TRIM_STEP, 11, 11]);
  });
});
