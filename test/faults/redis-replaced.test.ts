import { copyFile, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Code, ConnectError } from "@connectrpc/connect";
import { expect, it } from "vitest";
import { SearchMemoriesRequest_Mode as Mode } from "#gen/recollect/v1/memory_pb.js";
import { NOW, newMemory } from "../support/builders.ts";
import { toRefusal } from "../support/errors.ts";
import { quiet } from "../support/quiet.ts";
import { openTestRedis } from "../support/redis/backend.ts";
import { connectTo } from "../support/redis/client.ts";
import { brokenInvariants } from "../support/redis/invariants.ts";
import { describeRedisPrograms } from "../support/redis/run.ts";
import { type RedisServer, startRedis } from "../support/redis/server.ts";
import { eventually } from "../support/redis/wait.ts";
import { startApp, type TestApp } from "../support/start-app.ts";

const PREFIX = "replaced:";
const SNAPSHOTS = { appendonly: "no", save: '""' };

/** A server and its log. */
interface Served extends AsyncDisposable {
  readonly app: TestApp;
  /** The lines of its log at ERROR. */
  errors(): Promise<readonly string[]>;
}

async function serve(
  { host, port }: RedisServer,
  env: Readonly<Record<string, string>> = {},
): Promise<Served> {
  await using starting = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), "recollect-replaced-"));
  starting.defer(() => rm(directory, { recursive: true }));
  const log = join(directory, "app.log");
  const app = starting.use(
    await startApp({
      env: {
        MEMORY_BACKEND: "redis",
        REDIS_HOST: host,
        REDIS_PORT: String(port),
        REDIS_PREFIX: PREFIX,
        VECTOR_DIM: "64",
        LOG_LEVEL: "error",
        LOG_FILE: log,
        ...env,
      },
    }),
  );
  const owned = starting.move();
  return {
    app,
    errors: async () => {
      const lines = (await readFile(log, "utf8")).split("\n").filter((line) => line !== "");
      const said = lines.map((line) => JSON.parse(line) as { level: string; msg: string });
      return said.filter(({ level }) => level === "ERROR").map(({ msg }) => msg);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** True when it succeeds; false for a retryable refusal of Redis or the service. Rethrows other errors. */
async function works(call: () => Promise<unknown>): Promise<boolean> {
  try {
    await call();
    return true;
  } catch (error) {
    if (error instanceof ConnectError && toRefusal(error).reason === "STORE_UNAVAILABLE") return false;
    throw error;
  }
}

const remember = ({ memory }: TestApp, id: string, text: string) =>
  memory.createMemory({ memory: { id, text } });
const found = async ({ memory }: TestApp, text: string, mode: Mode): Promise<(string | undefined)[]> => {
  const query = { by: { case: "text" as const, value: text } };
  return (await memory.searchMemories({ query, mode })).results.map((one) => one.memory?.id);
};
const lookUp = ({ cache }: TestApp, text: string) =>
  cache.lookupCache({ prompt: { prompt: { case: "text", value: text } }, scope: { model: "m" } });
const store = ({ cache }: TestApp, text: string) =>
  cache.storeCacheEntry({
    prompt: { prompt: { case: "text", value: text } },
    origin: { case: "scope", value: { model: "m" } },
    response: `the answer to ${text}`,
  });

async function fill(app: TestApp): Promise<void> {
  await remember(app, "nuts", "Ana is allergic to nuts");
  await store(app, "How do I cancel my order?");
  expect((await lookUp(app, "How do I cancel my order?")).outcome.case).toBe("hit");
  expect(await found(app, "Ana is allergic to nuts", Mode.HYBRID)).toEqual(["nuts"]);
}

/** Checks that every kind of call and every search mode work as on a normal store. */
async function expectServed(app: TestApp, id: string): Promise<void> {
  const text = `${id} moved to Lisbon`;
  await eventually("a write", () => works(() => remember(app, id, text)));
  for (const mode of [Mode.HYBRID, Mode.VECTOR, Mode.KEYWORD]) {
    await eventually(`a search, ${Mode[mode]}`, async () => {
      let first: string | undefined;
      return (await works(async () => ([first] = await found(app, text, mode)))) && first === id;
    });
  }
  await eventually("a stored answer", () => works(() => store(app, text)));
  await eventually("a hit", async () => (await lookUp(app, text)).outcome.case === "hit");
  await eventually("a hit by meaning", async () => {
    const { outcome } = await lookUp(app, `please: ${text}`);
    return outcome.case === "hit";
  });
  expect((await readiness(app)).status).toBe(200);
}

async function readiness({ httpUrl }: TestApp): Promise<{ status: number; said: string }> {
  const reply = await fetch(`${httpUrl}/ready`);
  const { checks } = (await reply.json()) as { checks: Readonly<Record<string, string>> };
  return { status: reply.status, said: checks["backend redis"] ?? "" };
}

/** Expects exactly one matching line in the error log. */
async function expectOneError({ errors }: Served, said: RegExp): Promise<void> {
  await eventually("an error in the log", async () => (await errors()).length > 0);
  expect(await errors()).toEqual([expect.stringMatching(said)]);
}

/** Writes a dump, and copies it. */
async function dump({ url, directory }: RedisServer, name: string): Promise<string> {
  using admin = connectTo(url);
  await admin.save();
  const copy = join(directory, name);
  await copyFile(join(directory, "dump.rdb"), copy);
  return copy;
}

/** Restarts Redis with this dump, as in a restore by an operator. */
async function restore(redis: RedisServer, from: string | undefined): Promise<void> {
  await redis.kill();
  const file = join(redis.directory, "dump.rdb");
  if (from === undefined) await rm(file, { force: true });
  else await copyFile(from, file);
  await redis.restart();
}

await describeRedisPrograms("Redis data replaced under a running service", () => {
  it("flushed: all servers continue on the empty store, and log the loss once", async () => {
    await using redis = await startRedis();
    await using one = await serve(redis);
    await using other = await serve(redis);
    await fill(one.app);
    await remember(other.app, "tea", "Bo drinks his tea without milk");
    const before = await lookUp(one.app, "Where is my parcel?");
    using admin = connectTo(redis.url);
    // Both servers have read the data.
    for (const { app } of [one, other]) await readiness(app);
    await admin.flushall();

    await expectServed(one.app, "ana");
    await expectServed(other.app, "bo");
    // The second server finds the store as initialised by the first one.
    const emptied =
      /replaced by (an empty one|another one, of \d changes): at least 3 changes.*knew 1 namespaces/;
    for (const served of [one, other]) await expectOneError(served, emptied);
    expect((await one.app.memory.listMemories({})).memories.map(({ id }) => id)).toEqual(["bo", "ana"]);
    // Decision tokens of one server are valid on the other, also those from before.
    const after = await lookUp(one.app, "How do I return a parcel?");
    for (const [{ decisionId }, text] of [
      [after, "How do I return a parcel?"],
      [before, "Where is my parcel?"],
    ] as const) {
      await other.app.cache.storeCacheEntry({
        prompt: { prompt: { case: "text", value: text } },
        origin: { case: "decisionId", value: decisionId },
        response: "ask the post",
      });
      expect((await lookUp(one.app, text)).outcome.case).toBe("hit");
    }
    expect(await brokenInvariants(redis.url, PREFIX)).toEqual([]);
  });

  it("flushed under writes and lookups: each call ends, and the store is consistent", async () => {
    await using redis = await startRedis();
    await using served = await serve(redis);
    const { app } = served;
    await fill(app);
    using admin = connectTo(redis.url);
    let written = 0;
    let isOver = false;
    const load = Array.from({ length: 8 }, async (_, writer) => {
      for (let at = 0; !isOver; at += 1) {
        const text = `memory ${at} of writer ${writer}`;
        await works(() => app.memory.createMemory({ memory: { text, sessionId: `s${writer}` } }));
        await works(() => store(app, text));
        await works(() => found(app, text, Mode.HYBRID));
        await lookUp(app, text);
        written += 1;
      }
    });
    for (let round = 0; round < 3; round += 1) {
      const then = written;
      await eventually("writes", async () => written > then + 50);
      await admin.flushall();
    }
    const then = written;
    await eventually("writes", async () => written > then + 50);
    isOver = true;
    await Promise.all(load);
    await expectServed(app, "ana");
    expect(await brokenInvariants(redis.url, PREFIX)).toEqual([]);
    const errors = await served.errors();
    expect(errors.filter((line) => !line.includes("replaced by"))).toEqual([]);
    expect(errors.length).toBeGreaterThan(0);
    expect(errors.length).toBeLessThanOrEqual(3);
  });

  it("restarted without its data: the same", async () => {
    await using redis = await startRedis({ config: SNAPSHOTS });
    await using served = await serve(redis);
    await fill(served.app);
    await readiness(served.app);
    await restore(redis, undefined);
    await expectServed(served.app, "ana");
    await expectOneError(served, /replaced by an empty one: at least 2 changes.*knew 1 namespaces/);
    expect(await brokenInvariants(redis.url, PREFIX)).toEqual([]);
  });

  it("restored from an older dump: its content is served, and the log reports the lost changes", async () => {
    await using redis = await startRedis({ config: SNAPSHOTS });
    await using one = await serve(redis);
    await using other = await serve(redis);
    await fill(one.app);
    const older = await dump(redis, "older.rdb");
    await remember(one.app, "tea", "Bo drinks his tea without milk");
    await one.app.memory.createMemory({
      namespace: "later",
      memory: { id: "m", text: "in a new namespace" },
    });
    for (const { app } of [one, other]) await readiness(app);
    await restore(redis, older);

    await expectServed(one.app, "ana");
    await expectServed(other.app, "bo");
    for (const served of [one, other])
      await expectOneError(served, /went back to an older state, of \d changes, .*at least 4 changes/);
    expect((await other.app.memory.listMemories({})).memories.map(({ id }) => id)).toEqual([
      "bo",
      "ana",
      "nuts",
    ]);
    expect((await one.app.memory.listMemories({ namespace: "later" })).memories).toEqual([]);
    expect(await brokenInvariants(redis.url, PREFIX)).toEqual([]);
  });

  it("replaced by data of another embedding model: calls are refused with the reason until the right data is back", async () => {
    await using redis = await startRedis({ config: SNAPSHOTS });
    await using served = await serve(redis);
    await fill(served.app);
    const own = await dump(redis, "own.rdb");
    await using foreign = await startRedis({ config: SNAPSHOTS });
    await using stranger = await serve(foreign, { VECTOR_DIM: "32" });
    await fill(stranger.app);
    const other = await dump(foreign, "foreign.rdb");
    await readiness(served.app);
    await restore(redis, other);

    const { app } = served;
    await eventually("a refusal", async () => (await readiness(app)).said.includes("VECTOR_DIM=32"));
    expect((await readiness(app)).status).toBe(503);
    for (const call of [
      () => app.memory.getMemory({ id: "nuts" }),
      () => remember(app, "other", "something else"),
      () => found(app, "Ana", Mode.KEYWORD),
      () => store(app, "Another question?"),
    ]) {
      const error = await call().then(
        () => undefined,
        (reason: unknown) => reason,
      );
      expect(error).toMatchObject({ code: Code.Unavailable });
      expect(toRefusal(error)).toMatchObject({ reason: "STORE_UNAVAILABLE" });
      expect((error as ConnectError).message).toContain("VECTOR_DIM=32");
    }
    expect((await lookUp(app, "How do I cancel my order?")).outcome.case).toBe("miss");
    await expectOneError(
      served,
      /replaced by one that is not served: .*VECTOR_DIM=32.*at least 2 changes.*knew 1 namespaces/,
    );
    await restore(redis, own);
    await expectServed(app, "ana");
    expect((await app.memory.getMemory({ id: "nuts" })).memory?.text).toBe("Ana is allergic to nuts");
    expect(await served.errors()).toHaveLength(1);
  });

  it("without its meta key: it is written again, and the data is served as before", async () => {
    await using redis = await startRedis();
    await using served = await serve(redis);
    await fill(served.app);
    using admin = connectTo(redis.url);
    await admin.del(`${PREFIX}{p00}:meta`);
    await expectServed(served.app, "ana");
    expect(await found(served.app, "Ana is allergic to nuts", Mode.VECTOR)).toContain("nuts");
    await expectOneError(served, /has lost the key that says what it is/);
  });

  it("replicated from an empty server: calls are refused, and served on the empty store after the promotion", async () => {
    await using redis = await startRedis();
    await using empty = await startRedis();
    await using served = await serve(redis);
    await fill(served.app);
    using admin = connectTo(redis.url);
    await admin.replicaof(empty.host, empty.port);
    await eventually("a refused write", async () => !(await works(() => remember(served.app, "bo", "bo"))));
    await eventually("a replica in step", async () =>
      (await admin.info("replication")).includes("master_link_status:up"),
    );
    await admin.replicaof("NO", "ONE");
    await expectServed(served.app, "ana");
    await expectOneError(served, /was replaced by an empty one/);
    expect(await brokenInvariants(redis.url, PREFIX)).toEqual([]);
  });

  it("a new connection checks the meta key before it sends any other command", async () => {
    await using redis = await startRedis();
    const errors: string[] = [];
    const error = (_fields: object, message: string): void => void errors.push(message);
    const log = { ...quiet.log, error };
    const embedder = { provider: "test", model: "random", dimension: 4 };
    await using stores = await openTestRedis(redis.url, { embedder, log });
    const { memories } = stores.backend;
    const scope = { tenant: "t", namespace: "n" };
    await memories.writer.create(scope, [newMemory({ id: "m1" })], { now: NOW });
    using admin = connectTo(redis.url);
    for (const id of ["first", "second"]) {
      await admin
        .multi()
        .hset(`${stores.name}:{p00}:meta`, "store", id)
        .call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        .exec();
      // The reply is consistent with the known store identity.
      expect(await memories.reader.exist(scope, ["m1"], NOW)).toEqual([true]);
      expect(errors.pop()).toContain("was replaced by another one");
    }
  });

  it("unchanged after a lost connection or a restart of Redis: nothing is logged", async () => {
    await using redis = await startRedis();
    await using served = await serve(redis);
    await fill(served.app);
    using admin = connectTo(redis.url);
    await admin.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
    await expectServed(served.app, "ana");
    await redis.restart();
    await expectServed(served.app, "bo");
    expect((await served.app.memory.getMemory({ id: "nuts" })).memory?.id).toBe("nuts");
    expect(await served.errors()).toEqual([]);
  });
});
