import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ConnectError, createClient } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { RetryInfoSchema } from "#gen/google/rpc/error_details_pb.js";
import { WatchMemoriesResponse_Change as Change, MemoryService } from "#gen/recollect/v1/memory_pb.js";
import { keysFile, testKey } from "../support/api-keys.ts";
import { transportsOf } from "../support/call-method.ts";
import { refusalOf } from "../support/errors.ts";
import { manualSleep } from "../support/manual-sleep.ts";
import { eventually } from "../support/redis/wait.ts";
import { startApp, type TestApp } from "../support/start-app.ts";
import { openWatch } from "../support/watching.ts";

/** What a watch that was opened with this token is refused with. */
const refusalAt = (app: TestApp, namespace: string, resumeToken: string) =>
  refusalOf(openWatch(app.memory, { namespace, resumeToken }));

describe("WatchMemories", () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp();
  });
  afterAll(() => app[Symbol.asyncDispose]());

  const create = (namespace: string, id: string, more: object = {}) =>
    app.memory.createMemory({ namespace, memory: { id, text: `text of ${id}`, ...more } });

  it("streams a token, and then each change with the memory and its time", async () => {
    const namespace = "watched";
    const watch = await openWatch(app.memory, { namespace });
    await create(namespace, "m1");
    const created = await watch.next();
    expect(created).toMatchObject({
      change: Change.CREATED,
      memory: { id: "m1", namespace, text: "text of m1", state: 1 },
    });
    expect(created.changeTime).toEqual(created.memory?.createTime);
    await app.memory.updateMemory({ namespace, memory: { id: "m1", text: "corrected" } });
    expect(await watch.changes(1)).toEqual(["UPDATED m1 corrected"]);
    await create(namespace, "m2", { supersedes: ["m1"] });
    expect(await watch.changes(2)).toEqual(["CREATED m2 text of m2", "SUPERSEDED m1 corrected"]);
    await app.memory.deleteMemory({ namespace, id: "m2" });
    const deleted = await watch.next();
    expect(deleted).toMatchObject({ change: Change.DELETED, memory: { id: "m2", namespace, text: "" } });
    await watch.cancel();
  });

  it("streams nothing of other namespaces, nor what failed", async () => {
    const namespace = "apart";
    const watch = await openWatch(app.memory, { namespace });
    await create("apart-too", "other");
    await expect(app.memory.deleteMemory({ namespace, id: "never" })).rejects.toThrow();
    await create(namespace, "m1");
    await expect(create(namespace, "m1")).rejects.toThrow();
    await create(namespace, "m2");
    expect(await watch.changes(2)).toEqual(["CREATED m1 text of m1", "CREATED m2 text of m2"]);
    await watch.cancel();
  });

  it("continues behind each token, also over a restart of the server", async () => {
    const dataDir = await mkdtemp(join(tmpdir(), "recollect-watch-"));
    const namespace = "resumed";
    const tokens: string[] = [];
    {
      await using first = await startApp({ dataDir });
      const watch = await openWatch(first.memory, { namespace });
      tokens.push(watch.token);
      for (const id of ["m0", "m1", "m2"]) {
        await first.memory.createMemory({ namespace, memory: { id, text: `text of ${id}` } });
        await watch.changes(1);
        tokens.push(watch.token);
      }
      await watch.cancel();
    }
    {
      await using second = await startApp({ dataDir });
      for (const [seen, resumeToken] of tokens.entries()) {
        const watch = await openWatch(second.memory, { namespace, resumeToken });
        await second.memory.createMemory({ namespace, memory: { id: `n${seen}`, text: `new n${seen}` } });
        const all = ["m0", "m1", "m2"].map((id) => `CREATED ${id} text of ${id}`);
        const later = Array.from({ length: seen + 1 }, (_, at) => `CREATED n${at} new n${at}`);
        const expected = [...all.slice(seen), ...later];
        expect(await watch.changes(expected.length)).toEqual(expected);
        await watch.cancel();
      }
    }
    await rm(dataDir, { recursive: true });
    expect(new Set(tokens).size).toBe(4);
  });

  it("streams the content of now, also for earlier changes", async () => {
    const namespace = "content";
    const { token, cancel } = await openWatch(app.memory, { namespace });
    await cancel();
    await create(namespace, "m1");
    await app.memory.updateMemory({ namespace, memory: { id: "m1", text: "last" } });
    await create(namespace, "m2");
    await app.memory.deleteMemory({ namespace, id: "m2" });
    const watch = await openWatch(app.memory, { namespace, resumeToken: token });
    expect(await watch.changes(4)).toEqual([
      ...["CREATED m1 last", "UPDATED m1 last", "CREATED m2", "DELETED m2"],
    ]);
    await watch.cancel();
  });

  it("streams more changes than a page has, in order", async () => {
    const namespace = "pages";
    const { token, cancel } = await openWatch(app.memory, { namespace });
    await cancel();
    const ids = Array.from({ length: 450 }, (_, at) => `m${at}`);
    for (let at = 0; at < ids.length; at += 150) {
      const memories = ids.slice(at, at + 150).map((id) => ({ id, text: `text of ${id}` }));
      await app.memory.batchCreateMemories({ namespace, memories });
    }
    const watch = await openWatch(app.memory, { namespace, resumeToken: token });
    expect(await watch.changes(450)).toEqual(ids.map((id) => `CREATED ${id} text of ${id}`));
    await watch.cancel();
  });

  it("is refused with a token of another namespace, another list, or none at all", async () => {
    await create("first", "m1");
    await create("second", "m1");
    const { token, cancel } = await openWatch(app.memory, { namespace: "first" });
    await cancel();
    const exported = app.memory.exportMemories({ namespace: "first" })[Symbol.asyncIterator]();
    const { value } = await exported.next();
    await exported.return?.();
    const wrong = [
      [token, "second"] as const,
      [value?.resumeToken ?? "", "first"] as const,
      ["x", "first"] as const,
    ];
    for (const [resumeToken, namespace] of wrong) {
      expect(await refusalAt(app, namespace, resumeToken)).toMatchObject({
        reason: "PAGE_TOKEN_INVALID",
        metadata: { field: "resume_token" },
      });
    }
  });

  it("ends with CHANGES_LOST when its namespace is deleted, at once and for every token", async () => {
    const namespace = "deleted";
    await create(namespace, "m1");
    const watch = await openWatch(app.memory, { namespace });
    const ended = refusalOf(watch.next());
    await app.memory.deleteNamespace({ namespace, force: true });
    const lost = { code: "OutOfRange", reason: "CHANGES_LOST", metadata: { cause: "namespace_deleted" } };
    expect(await ended).toMatchObject(lost);
    expect(await refusalAt(app, namespace, watch.token)).toMatchObject(lost);
    await create(namespace, "m1");
    expect(await refusalAt(app, namespace, watch.token)).toMatchObject(lost);
  });

  it("is served over HTTP too", async () => {
    const namespace = "over-http";
    using transports = transportsOf(app);
    const watch = await openWatch(createClient(MemoryService, transports.http), { namespace });
    await create(namespace, "m1");
    expect(await watch.changes(1)).toEqual(["CREATED m1 text of m1"]);
    await watch.cancel();
  });
});

describe("the limits of the change feed", () => {
  it("are those of the settings: a watch that is further behind is lost", async () => {
    await using app = await startApp({ env: { MEMORY_MAX_CHANGES: "5" } });
    const namespace = "bound";
    const create = (id: string) =>
      app.memory.createMemory({ namespace, memory: { id, text: `text of ${id}` } });
    const { token, cancel } = await openWatch(app.memory, { namespace });
    await cancel();
    for (const id of ["m1", "m2", "m3", "m4", "m5"]) await create(id);
    const watch = await openWatch(app.memory, { namespace, resumeToken: token });
    expect(await watch.changes(5)).toHaveLength(5);
    await create("m6");
    expect(await watch.changes(1)).toEqual(["CREATED m6 text of m6"]);
    await watch.cancel();
    expect(await refusalAt(app, namespace, token)).toMatchObject({
      reason: "CHANGES_LOST",
      metadata: { cause: "trimmed" },
    });
  });

  it("are a week without a setting", async () => {
    let now = Date.UTC(2026, 0, 1);
    await using app = await startApp({ overrides: { clock: { now: () => now } } });
    const namespace = "week";
    const create = (id: string) =>
      app.memory.createMemory({ namespace, memory: { id, text: `text of ${id}` } });
    const { token, cancel } = await openWatch(app.memory, { namespace });
    await cancel();
    await create("m1");
    now += 7 * 24 * 3_600_000;
    await create("m2");
    expect(await refusalAt(app, namespace, token)).toMatchObject({
      reason: "CHANGES_LOST",
      metadata: { cause: "trimmed" },
    });
  });
});

describe("an open watch", () => {
  it("gets a token alone after each half minute of silence", async () => {
    const silence = manualSleep();
    await using app = await startApp({ overrides: { watchSleep: silence.sleep } });
    const namespace = "silent";
    const watch = await openWatch(app.memory, { namespace });
    for (let times = 1; times <= 2; times += 1) {
      await silence.begun(times);
      silence.wake();
      expect(await watch.next()).toMatchObject({ change: Change.UNSPECIFIED, resumeToken: watch.token });
    }
    expect(new Set(silence.durations)).toEqual(new Set([30_000]));
    await app.memory.createMemory({ namespace, memory: { id: "m1", text: "t" } });
    expect(await watch.changes(1)).toEqual(["CREATED m1 t"]);
    await watch.cancel();
  });

  it("counts against the limit of its tenant until it ends, and not against the streams", async () => {
    const [one, other] = [testKey({ tenant: "one" }), testKey({ tenant: "other" })];
    await using app = await startApp({
      apiKeys: [one, other],
      env: { MAX_WATCHES: "2", MAX_OPEN_STREAMS: "1" },
    });
    const open = ({ key }: typeof one) =>
      openWatch(app.memory, { namespace: "n" }, { authorization: `Bearer ${key}` });
    const [first, second] = [await open(one), await open(one)];
    expect(await refusalOf(open(one))).toMatchObject({
      code: "ResourceExhausted",
      reason: "TOO_MANY_WATCHES",
      metadata: { limit: "2" },
    });
    const refused: unknown = await open(one).catch((error: unknown) => error);
    expect((refused as ConnectError).findDetails(RetryInfoSchema)).toHaveLength(1);
    const third = await open(other);
    const headers = { authorization: `Bearer ${one.key}` };
    const exported: string[] = [];
    for await (const { memory } of app.memory.exportMemories({}, { headers }))
      exported.push(memory?.id ?? "");
    expect(exported).toEqual([]);
    await first.cancel();
    // The server learns of the end a moment later.
    let again = await open(one).catch(() => undefined);
    await eventually("room for a watch", async () => {
      again ??= await open(one).catch(() => undefined);
      return again !== undefined;
    });
    for (const watch of [second, third, again]) await watch?.cancel();
  });

  it.each(["grpc", "http"] as const)(
    "over %s ends with SERVER_STOPPING when the server stops",
    async (name) => {
      await using app = await startApp({
        configure: (config) => ({ ...config, limits: { ...config.limits, drainMs: 3_600_000 } }),
      });
      using transports = transportsOf(app);
      const watch = await openWatch(createClient(MemoryService, transports[name]), { namespace: "n" });
      const ended = refusalOf(watch.next());
      await app.stop();
      expect(await ended).toMatchObject({ code: "Unavailable", reason: "SERVER_STOPPING" });
    },
  );

  it("ends when its key is removed, and when it loses its role", async () => {
    const directory = await mkdtemp(join(tmpdir(), "recollect-keys-"));
    const path = join(directory, "keys.yaml");
    const [removed, changed, kept] = ["removed", "changed", "kept"].map((principal) =>
      testKey({ principal }),
    );
    if (removed === undefined || changed === undefined || kept === undefined)
      throw new TypeError("three keys");
    await writeFile(path, keysFile([removed, changed, kept]));
    {
      await using app = await startApp({
        env: {
          AUTH_MODE: "api_keys",
          AUTH_API_KEYS_FILE: path,
          GRPC_HOST: "127.0.0.1",
          HTTP_HOST: "127.0.0.1",
        },
      });
      using transports = transportsOf(app);
      const overHttp = createClient(MemoryService, transports.http);
      const headersOf = ({ key }: typeof kept) => ({ authorization: `Bearer ${key}` });
      const ended = await Promise.all(
        [app.memory, overHttp].flatMap((client) =>
          [removed, changed].map(async (key) => {
            const watch = await openWatch(client, { namespace: "n" }, headersOf(key));
            return { refusal: refusalOf(watch.next()) };
          }),
        ),
      );
      const stays = await openWatch(app.memory, { namespace: "n" }, headersOf(kept));
      await writeFile(`${path}.new`, keysFile([{ ...changed, roles: ["writer"] }, kept]));
      await rename(`${path}.new`, path);
      const refusals = await Promise.all(ended.map(({ refusal }) => refusal));
      expect(refusals.map(({ reason }) => reason)).toEqual([
        ...["CREDENTIAL_INVALID", "ROLE_MISSING", "CREDENTIAL_INVALID", "ROLE_MISSING"],
      ]);
      await app.memory.createMemory(
        { namespace: "n", memory: { id: "m1", text: "t" } },
        { headers: headersOf(kept) },
      );
      expect(await stays.changes(1)).toEqual(["CREATED m1 t"]);
      await stays.cancel();
    }
    await rm(directory, { recursive: true });
  });
});
