import { durationMs } from "@bufbuild/protobuf/wkt";
import { ConnectError } from "@connectrpc/connect";
import { expect, it } from "vitest";
import { RetryInfoSchema } from "#gen/google/rpc/error_details_pb.js";
import {
  type LookupCacheResponse,
  LookupCacheResponse_Miss_Reason as MissReason,
} from "#gen/recollect/v1/cache_pb.js";
import { SearchMemoriesRequest_Mode as Mode } from "#gen/recollect/v1/memory_pb.js";
import { refusalOf, toRefusal } from "../support/errors.ts";
import { connectTo } from "../support/redis/client.ts";
import { type Faulty, PREFIX, startFaulty } from "../support/redis/faulty.ts";
import { brokenInvariants } from "../support/redis/invariants.ts";
import { describeRedisPrograms } from "../support/redis/run.ts";
import { eventually } from "../support/redis/wait.ts";
import type { TestApp } from "../support/start-app.ts";

const remember = (app: TestApp, id: string, text: string, requestId?: string) =>
  app.memory.createMemory({
    memory: { id, text },
    ...(requestId === undefined ? {} : { requestId }),
  });
const search = async (app: TestApp, text: string, mode = Mode.HYBRID) => {
  const { results } = await app.memory.searchMemories({
    query: { by: { case: "text", value: text } },
    mode,
    limit: 1,
  });
  return results.map(({ memory }) => memory?.id);
};
const store = (app: TestApp, text: string) =>
  app.cache.storeCacheEntry({
    prompt: { prompt: { case: "text", value: text } },
    origin: { case: "scope", value: { model: "m" } },
    response: `the answer to ${text}`,
  });
/** `hit`, or the reason of the miss. */
const lookUp = async (app: TestApp, text: string): Promise<string | undefined> =>
  outcomeOf(
    await app.cache.lookupCache({
      prompt: { prompt: { case: "text", value: text } },
      scope: { model: "m" },
    }),
  );
const outcomeOf = ({ outcome }: LookupCacheResponse): string | undefined =>
  outcome.case === "miss" ? MissReason[outcome.value.reason] : outcome.case;

/** Expects a retryable refusal with RetryInfo. */
async function expectUnavailable(call: Promise<unknown>): Promise<void> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ConnectError);
  expect(toRefusal(error)).toMatchObject({ code: "Unavailable", reason: "STORE_UNAVAILABLE" });
  const [retry] = (error as ConnectError).findDetails(RetryInfoSchema);
  expect(retry?.retryDelay === undefined ? 0 : durationMs(retry.retryDelay)).toBeGreaterThan(0);
}

/** Checks that every kind of call works, with the memory and the entry of `fill`. */
async function fill(app: TestApp): Promise<void> {
  await remember(app, "nuts", "Ana is allergic to nuts");
  await store(app, "How do I cancel my order?");
}

async function expectReads(app: TestApp): Promise<void> {
  expect((await app.memory.getMemory({ id: "nuts" })).memory?.text).toBe("Ana is allergic to nuts");
  expect((await app.memory.listMemories({})).memories.map(({ id }) => id)).toContain("nuts");
  for (const mode of [Mode.HYBRID, Mode.VECTOR, Mode.KEYWORD]) {
    expect(await search(app, "Ana is allergic to nuts", mode)).toEqual(["nuts"]);
  }
  expect(await lookUp(app, "How do I cancel my order?")).toBe("hit");
  expect(await lookUp(app, "please, how do I cancel my order?")).toBe("hit");
}

let written = 0;
async function expectWrites(app: TestApp): Promise<void> {
  written += 1;
  const id = `later-${written}`;
  await remember(app, id, `what was written later, ${written}`);
  await app.memory.updateMemory({ memory: { id, text: `what was corrected later, ${written}` } });
  expect(await search(app, `what was corrected later, ${written}`)).toEqual([id]);
  await app.memory.deleteMemory({ id });
  await store(app, "How do I cancel my order?");
}

/** Waits until all calls are served again, without a restart. */
async function expectRecovery({ app }: Faulty): Promise<void> {
  await eventually("reads", () => works(expectReads(app)));
  await eventually("writes", () => works(expectWrites(app)));
  expect((await readiness(app)).status).toBe(200);
}

/** False while the backend is unavailable, or pending calls reach the limit; rethrows other errors. */
async function works(work: Promise<void>): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (error) {
    const later = ["STORE_UNAVAILABLE", "TOO_MANY_CALLS"];
    if (error instanceof ConnectError && later.includes(toRefusal(error).reason ?? "")) return false;
    throw error;
  }
}

async function readiness(
  app: TestApp,
): Promise<{ status: number; checks: Readonly<Record<string, string>> }> {
  const reply = await fetch(`${app.httpUrl}/ready`);
  const { checks } = (await reply.json()) as { checks: Readonly<Record<string, string>> };
  return { status: reply.status, checks };
}

/** Checks the responses while Redis does not answer, after detection. */
async function expectAway({ app }: Faulty): Promise<void> {
  await expectUnavailable(app.memory.getMemory({ id: "nuts" }));
  await expectUnavailable(search(app, "Ana"));
  await expectUnavailable(remember(app, "other", "something else"));
  await expectUnavailable(app.cache.getCacheStats({}));
  // An unavailable cache only causes misses.
  expect(await lookUp(app, "How do I cancel my order?")).toBe("STORE_UNAVAILABLE");
  const { status, checks } = await readiness(app);
  expect(status).toBe(503);
  expect(checks["backend redis"]).toContain("cannot be reached");
  expect((await fetch(`${app.httpUrl}/health`)).status).toBe(200);
}

await describeRedisPrograms("failures of Redis", () => {
  it("killed and restarted: calls are refused with RetryInfo, then served as before", async () => {
    await using faulty = await startFaulty();
    await fill(faulty.app);
    await faulty.redis.kill();
    await eventually("an end of the connection", async () => faulty.proxy.connections === 0);
    await expectAway(faulty);
    await faulty.redis.restart();
    await expectRecovery(faulty);
    expect(await brokenInvariants(faulty.redis.url, PREFIX)).toEqual([]);
  });

  it("unresponsive: calls end at their deadlines, lookups miss, then all calls are refused immediately", async () => {
    await using faulty = await startFaulty({
      timeouts: { socketTimeoutMs: 3000, connectTimeoutMs: 200 },
      lookupDeadlineMs: 200,
    });
    const { app, redis } = faulty;
    await fill(app);
    redis.pause();
    const late = app.memory.getMemory({ id: "nuts" }, { timeoutMs: 300 });
    expect((await refusalOf(late)).code).toBe("DeadlineExceeded");
    expect(await lookUp(app, "How do I cancel my order?")).toBe("STORE_UNAVAILABLE");
    // Without a deadline: up to the connection timeout.
    await expectUnavailable(app.memory.getMemory({ id: "nuts" }));
    await expectAway(faulty);
    redis.resume();
    await expectRecovery(faulty);
    expect(await brokenInvariants(redis.url, PREFIX)).toEqual([]);
  });

  it("unresponsive under load: admission bounds the pending calls", async () => {
    const limit = 100;
    await using faulty = await startFaulty({ maxConcurrentCalls: limit });
    const { app, redis } = faulty;
    await fill(app);
    redis.pause();
    const calls = Array.from({ length: 3 * limit }, () =>
      refusalOf(app.memory.getMemory({ id: "nuts" }, { timeoutMs: 1000 })),
    );
    const refused = (await Promise.all(calls)).map(({ code, reason }) => reason ?? code);
    expect(refused.filter((reason) => reason === "TOO_MANY_CALLS").length).toBe(2 * limit);
    redis.resume();
    await expectRecovery(faulty);
  });

  it("slow: calls are slow, and a lookup past its deadline is a miss", async () => {
    await using faulty = await startFaulty();
    const { app, proxy } = faulty;
    await fill(app);
    await proxy.set({ kind: "delay", ms: 500 });
    expect((await app.memory.getMemory({ id: "nuts" })).memory?.id).toBe("nuts");
    expect(await search(app, "Ana is allergic to nuts")).toEqual(["nuts"]);
    // Two round trips, and 800 ms for both.
    expect(await lookUp(app, "please, how do I cancel my order?")).toBe("STORE_UNAVAILABLE");
    await proxy.set({ kind: "pass" });
    await expectRecovery(faulty);
  });

  it("connections reset in the middle of replies: no partial response", async () => {
    await using faulty = await startFaulty();
    const { app, proxy } = faulty;
    await fill(app);
    const text = "a long text ".repeat(2000);
    await remember(app, "long", text);
    for (const afterBytes of [1, 100, 1000, 10_000, 24_100]) {
      await proxy.set({ kind: "cut", afterBytes });
      const ends = await Promise.all(
        Array.from({ length: 20 }, () =>
          app.memory.getMemory({ id: "long" }).then(
            ({ memory }) => memory?.text === text,
            (error: unknown) => toRefusal(error).reason === "STORE_UNAVAILABLE",
          ),
        ),
      );
      expect(ends).not.toContain(false);
      await proxy.set({ kind: "pass" });
      await expectRecovery(faulty);
    }
  });

  it("scripts flushed: they are loaded again", async () => {
    await using faulty = await startFaulty();
    await fill(faulty.app);
    await faulty.admin.script("FLUSH");
    await expectReads(faulty.app);
    await faulty.admin.script("FLUSH");
    await expectWrites(faulty.app);
  });

  it("out of memory: writes are refused with STORE_FULL, while reads, searches and deletions work", async () => {
    await using faulty = await startFaulty();
    const { app, admin } = faulty;
    await fill(app);
    await remember(app, "one", "to be deleted");
    for (const text of ["to be purged", "this too"]) {
      await app.memory.createMemory({ memory: { text, userId: "ben" } });
    }
    await app.memory.createMemory({ namespace: "other", memory: { text: "in another namespace" } });
    await admin.config("SET", "maxmemory", "1mb");
    const full = { code: "ResourceExhausted", reason: "STORE_FULL" };
    expect(await refusalOf(remember(app, "more", "more of it"))).toMatchObject(full);
    const correction = { memory: { id: "nuts", text: "something longer than it was" } };
    expect(await refusalOf(app.memory.updateMemory(correction))).toMatchObject(full);
    expect(await refusalOf(store(app, "Another question?"))).toMatchObject(full);
    await expectReads(app);
    await app.memory.deleteMemory({ id: "one", requestId: "delete-one" });
    expect(await refusalOf(app.memory.getMemory({ id: "one" }))).toMatchObject({
      reason: "MEMORY_NOT_FOUND",
    });
    const purged = await app.memory.purgeMemories({ filter: { userId: "ben" }, force: true });
    expect(purged.count).toBe(2);
    await app.memory.deleteNamespace({ namespace: "other", force: true });
    expect((await readiness(app)).status).toBe(200);
    await admin.config("SET", "maxmemory", "0");
    await expectWrites(app);
    expect(await brokenInvariants(faulty.redis.url, PREFIX)).toEqual([]);
  });

  it("a read-only replica: writes are refused, and reads work", async () => {
    await using faulty = await startFaulty();
    const { app, admin } = faulty;
    await fill(app);
    // A replica of an unreachable primary, so that it keeps its data.
    await admin.replicaof("127.0.0.1", 1);
    await expectUnavailable(remember(app, "other", "something else"));
    await expectUnavailable(app.memory.deleteMemory({ id: "nuts" }));
    await expectUnavailable(store(app, "Another question?"));
    await expectReads(app);
    await admin.replicaof("NO", "ONE");
    await expectRecovery(faulty);
  });

  it("loading its data after a restart: calls are refused until it is loaded", async () => {
    await using faulty = await startFaulty({
      timeouts: { connectTimeoutMs: 200 },
      // Slows down the loading of little test data: microseconds per key, with client handling in between.
      redis: { config: { "key-load-delay": "50000", "loading-process-events-interval-bytes": "1024" } },
    });
    const { app, admin, redis } = faulty;
    await fill(app);
    await app.memory.batchCreateMemories({
      namespace: "many",
      memories: Array.from({ length: 100 }, (_, index) => ({ text: `memory ${index} ${"x".repeat(500)}` })),
    });
    await admin.bgrewriteaof();
    await eventually("a rewritten log", async () =>
      (await admin.info("persistence")).includes("aof_rewrite_in_progress:0\r\naof_rewrite_scheduled:0"),
    );
    const restarted = redis.restart();
    await eventually("a Redis that loads", async () => {
      using probe = connectTo(redis.url, { enableReadyCheck: false });
      return await probe.info("persistence").then(
        (info) => info.includes("\r\nloading:1"),
        () => false,
      );
    });
    await expectAway(faulty);
    using probe = connectTo(redis.url, { enableReadyCheck: false });
    await probe.config("SET", "key-load-delay", "0");
    await restarted;
    await expectRecovery(faulty);
  });
});

await describeRedisPrograms("a connection lost before the reply", () => {
  /** Redis closes the connection while the proxy holds back its replies; then the proxy passes data again. */
  async function breakConnection({ admin, proxy }: Faulty): Promise<void> {
    const { accepted } = proxy;
    await admin.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
    await eventually("a connection in its place", async () => proxy.accepted > accepted);
    await proxy.set({ kind: "pass" });
  }

  it("a read is retried", async () => {
    await using faulty = await startFaulty();
    await fill(faulty.app);
    await faulty.proxy.set({ kind: "stall" });
    const read = faulty.app.memory.getMemory({ id: "nuts" });
    const found = search(faulty.app, "Ana is allergic to nuts");
    await breakConnection(faulty);
    expect((await read).memory?.id).toBe("nuts");
    expect(await found).toEqual(["nuts"]);
  });

  it("a write with a request_id is retried and applied once; a write without one is refused", async () => {
    await using faulty = await startFaulty();
    const { app, admin, proxy, redis } = faulty;
    await fill(app);
    await proxy.set({ kind: "delay", ms: 600_000 });
    const create = (requestId?: string) =>
      app.memory.createMemory({
        memory: { text: requestId ?? "without", sessionId: "s" },
        ...(requestId === undefined ? {} : { requestId }),
      });
    const [repeated, refused] = [create("with"), create()];
    refused.catch(() => undefined);
    const count = async (): Promise<number> => {
      const [, number] = Object.entries(await admin.hgetall(`${PREFIX}{p00}:namespaces`))[0] ?? [];
      return admin.zcard(`${PREFIX}{p00}:n:${number}:order`);
    };
    await eventually("both in Redis", async () => (await count()) === 3);
    await breakConnection(faulty);
    expect((await repeated).memory?.text).toBe("with");
    await expectUnavailable(refused);
    expect(await count()).toBe(3);
    expect(await brokenInvariants(redis.url, PREFIX)).toEqual([]);
  });
});
