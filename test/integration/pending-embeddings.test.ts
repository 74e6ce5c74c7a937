import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Memory_Embedding_State as State } from "#gen/recollect/v1/memory_pb.js";
import { NOW } from "../support/builders.ts";
import { expectNoLeaks, until } from "../support/leaks.ts";
import { type ManualSleep, manualSleep } from "../support/manual-sleep.ts";
import { type ScriptedEmbedder, scriptedEmbedder } from "../support/scripted-embedder.ts";
import { startApp, type TestApp } from "../support/start-app.ts";

let dataDir: string;
let embedder: ScriptedEmbedder;
let sleeper: ManualSleep;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "recollect-backlog-"));
  embedder = scriptedEmbedder();
  sleeper = manualSleep();
});
afterEach(() => rm(dataDir, { recursive: true }));

const start = (waitMs?: number): Promise<TestApp> =>
  startApp({
    dataDir,
    overrides: { embedder, sleep: sleeper.sleep },
    configure: (config) =>
      waitMs === undefined ? config : { ...config, embedding: { ...config.embedding, timeoutMs: waitMs } },
  });

const stateOf = async (app: TestApp, id: string): Promise<string | undefined> =>
  State[(await app.memory.getMemory({ id })).memory?.embedding?.state ?? 0];

/** Reads until the memory has its vector, made by the embedding queue. */
async function ready(app: TestApp, id: string): Promise<void> {
  for (let reads = 0; reads < 200 && (await stateOf(app, id)) !== "READY"; reads += 1);
  expect(await stateOf(app, id)).toBe("READY");
}

/** Ids by vector search, nearest first. */
const meaning = async (app: TestApp, text: string) => {
  const { results } = await app.memory.searchMemories({
    query: { by: { case: "vector", value: vectorBytes(await embedder.embed([text], never())) } },
  });
  return results.map(({ memory }) => memory?.id);
};

const never = (): AbortSignal => new AbortController().signal;

function vectorBytes([embedded]: Awaited<ReturnType<ScriptedEmbedder["embed"]>>): Uint8Array {
  return new Uint8Array(embedded?.vector.buffer ?? new ArrayBuffer(0));
}

async function exported(app: TestApp): Promise<unknown[]> {
  const memories: unknown[] = [];
  for await (const { memory } of app.memory.exportMemories({})) memories.push(memory);
  return memories;
}

describe("a write during a provider outage", () => {
  it("succeeds by every write method, is found by keyword, and by vector once the provider answers again", async () => {
    await using app = await start();
    embedder.always("ok");
    await app.memory.createMemory({ memory: { id: "old", text: "the first words" } });
    embedder.always("SERVER_ERROR");
    await app.memory.createMemory({ memory: { id: "one", text: "alpha apples" } });
    await app.memory.batchCreateMemories({ memories: [{ id: "two", text: "beta apples" }] });
    await app.memory.updateMemory({
      memory: { id: "old", text: "gamma apples" },
      updateMask: { paths: ["text"] },
    });
    const steps = (async function* () {
      yield { sequence: 1, memories: [{ id: "three", text: "delta apples" }] };
    })();
    for await (const { importedCount } of app.memory.importMemories(steps)) expect(importedCount).toBe(1);
    for (const id of ["one", "two", "old", "three"]) expect(await stateOf(app, id)).toBe("PENDING");
    const byWords = await app.memory.searchMemories({ query: { by: { case: "text", value: "apples" } } });
    expect(byWords.results).toHaveLength(4);
    const before = await exported(app);

    embedder.always("ok");
    sleeper.wake();
    for (const id of ["one", "two", "old", "three"]) await ready(app, id);
    expect((await meaning(app, "alpha apples"))[0]).toBe("one");
    expect((await meaning(app, "gamma apples"))[0]).toBe("old");
    // Neither the etag nor another exported field has changed.
    expect(await exported(app)).toEqual(before);
  });

  it("is embedded after a restart", async () => {
    embedder.always("CONNECTION");
    {
      await using app = await start();
      await app.memory.createMemory({ memory: { id: "one", text: "alpha apples" } });
      expect(await stateOf(app, "one")).toBe("PENDING");
    }
    embedder.always("ok");
    await using app = await start();
    await ready(app, "one");
    expect((await meaning(app, "alpha apples"))[0]).toBe("one");
  });

  it("waits for a hanging provider at most until the embedding timeout", async () => {
    embedder.always("hang");
    await using app = await start(20);
    await app.memory.createMemory({ memory: { id: "one", text: "alpha apples" } });
    expect(await stateOf(app, "one")).toBe("PENDING");
  });

  it("replays the same response, and an update without a new text keeps its queue position", async () => {
    await using app = await start();
    embedder.always("SERVER_ERROR");
    const request = { memory: { text: "alpha apples" }, requestId: "r1" };
    const first = await app.memory.createMemory(request);
    const id = first.memory?.id ?? "";
    expect((await app.memory.createMemory(request)).memory?.etag).toBe(first.memory?.etag);
    await app.memory.updateMemory({ memory: { id, importance: 0.9 }, updateMask: { paths: ["importance"] } });
    expect(await stateOf(app, id)).toBe("PENDING");
    embedder.always("ok");
    sleeper.wake();
    await ready(app, id);
  });

  it("leaves nothing open when the server stops during the embedding request", async () => {
    await expectNoLeaks(async () => {
      embedder.next("SERVER_ERROR");
      embedder.always("hang");
      await using app = await start();
      await app.memory.createMemory({ memory: { text: "alpha apples" } });
      await until(() => embedder.calls.length === 2);
    });
  });
});

describe("a pending memory", () => {
  it("is shown in GetEmbeddingInfo and in the metrics, with its age, until it is embedded", async () => {
    let now = NOW;
    embedder.always("SERVER_ERROR");
    await using app = await startApp({
      dataDir,
      overrides: { embedder, sleep: sleeper.sleep, clock: { now: () => now } },
    });
    const info = () => app.operations.getEmbeddingInfo({});
    const metrics = async () => (await fetch(`${app.httpUrl}/metrics`)).text();
    const idle = await info();
    expect(idle).toMatchObject({ provider: "scripted", model: "m", dimension: 4, pendingCount: 0 });
    expect([idle.oldestPendingTime, idle.oldestPendingAge, idle.writeBreaker]).toEqual(
      Array(3).fill(undefined),
    );
    expect(await metrics()).toMatch(/^recollect_embedding_backlog 0$/m);

    await app.memory.createMemory({ namespace: "one", memory: { id: "one", text: "alpha apples" } });
    now += 90_000;
    await app.memory.createMemory({ namespace: "two", memory: { text: "beta apples" } });
    expect(await info()).toMatchObject({
      pendingCount: 2,
      oldestPendingTime: timestampFromMs(NOW),
      oldestPendingAge: durationFromMs(90_000),
    });
    expect(await metrics()).toMatch(/^recollect_embedding_backlog 2$/m);
    expect(await metrics()).toMatch(/^recollect_embedding_backlog_oldest_seconds 90$/m);

    embedder.always("ok");
    sleeper.wake();
    for (let reads = 0; reads < 200 && (await info()).pendingCount > 0; reads += 1);
    expect(await info()).toMatchObject({ pendingCount: 0 });
    expect(await metrics()).toMatch(/^recollect_embedding_backlog_oldest_seconds 0$/m);
  });

  it("is counted while vector search is disabled", async () => {
    await using off = await startApp({ dataDir, env: { ENABLE_VECTOR_SEARCH: "false" } });
    await off.memory.createMemory({ memory: { text: "alpha apples" } });
    expect(await off.operations.getEmbeddingInfo({})).toMatchObject({
      provider: "",
      dimension: 0,
      pendingCount: 1,
    });
  });
});

describe("a memory written with vector search disabled", () => {
  it("is embedded once vector search is enabled", async () => {
    {
      await using off = await startApp({ dataDir, env: { ENABLE_VECTOR_SEARCH: "false" } });
      await off.memory.createMemory({ memory: { id: "one", text: "alpha apples" } });
      expect(await stateOf(off, "one")).toBe("DISABLED");
    }
    await using app = await start();
    await ready(app, "one");
    expect((await meaning(app, "alpha apples"))[0]).toBe("one");
  });
});
