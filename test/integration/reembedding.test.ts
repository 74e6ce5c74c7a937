import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Reembedding_State as State } from "#gen/recollect/v1/operations_pb.js";
import type { Environment } from "../../src/config/sources.ts";
import { refusalOf } from "../support/errors.ts";
import { type OpenAiServer, startOpenAiServer } from "../support/openai-server.ts";
import {
  drained,
  fill,
  idOf,
  load,
  nearest,
  startChange,
  startOfWrites,
} from "../support/reembedding-load.ts";
import { scale } from "../support/scale.ts";
import { startApp, type TestApp } from "../support/start-app.ts";

const HASHING: Environment = { EMBEDDING_PROVIDER: "hashing", VECTOR_DIM: "64" };

let dataDir: string;
let provider: OpenAiServer;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "recollect-reembedding-"));
  provider = await startOpenAiServer({ dimension: 64, apart: ["model-x", "model-y"] });
});
afterEach(async () => {
  await provider[Symbol.asyncDispose]();
  await rm(dataDir, { recursive: true });
});

const start = (env: Environment = HASHING): Promise<TestApp> => startApp({ dataDir, env });
const openAi = (model = "model-x"): Environment => ({
  EMBEDDING_PROVIDER: "openai",
  EMBEDDING_API_BASE: provider.apiBase,
  EMBEDDING_MODEL: model,
  VECTOR_DIM: "64",
});
const stateOf = async (app: TestApp, id: string) =>
  (await app.operations.getReembedding({ id })).reembedding?.state ?? State.UNSPECIFIED;

async function finalState(app: TestApp, id: string): Promise<State> {
  for (;;) {
    const state = await stateOf(app, id);
    if (state !== State.RUNNING) return state;
  }
}

const CASES = [
  {
    name: "another dimension of hashing",
    before: () => HASHING,
    change: { dimension: 96 },
    after: (): Environment => ({ ...HASHING, VECTOR_DIM: "96" }),
    identity: { provider: "hashing", dimension: 96 },
  },
  {
    name: "another model of a provider, with the same dimension",
    before: () => openAi(),
    change: { model: "model-y" },
    after: () => openAi("model-y"),
    identity: { provider: "openai", model: "model-y", dimension: 64 },
  },
] as const;

describe("re-embedding under load, with a restart in the middle", () => {
  it.each(CASES)("$name: every read is right before, meanwhile and after", async (one) => {
    const size = scale(400, 4000);
    const writes = startOfWrites(size);
    let id = "";
    {
      await using app = await start(one.before());
      await fill(app, size);
      const started = await app.operations.startReembedding(one.change);
      expect(started.reembedding).toMatchObject({ state: State.RUNNING, memoryCount: size });
      id = started.reembedding?.id ?? "";
      const underWay = async () => {
        const { reembedding } = await app.operations.getReembedding({ id });
        return (reembedding?.embeddedFraction ?? 0) > 0;
      };
      expect(await load(app, size, writes, underWay)).toBeGreaterThan(0);
    }
    {
      await using app = await start(one.before());
      const over = async () => (await stateOf(app, id)) !== State.RUNNING;
      await load(app, size, writes, over);
      expect(await stateOf(app, id)).toBe(State.DONE);
      let more = 0;
      await load(app, size, writes, async () => {
        more += 1;
        return more > 20;
      });
      await drained(app);
      const info = await app.operations.getEmbeddingInfo({});
      expect(info).toMatchObject(one.identity);
      expect(info.reembedding).toBeUndefined();
    }
    // The server starts with the old settings and with the new ones.
    for (const env of [one.before(), one.after()]) {
      await using app = await start(env);
      expect(await app.operations.getEmbeddingInfo({})).toMatchObject(one.identity);
      for (let index = 0; index < writes.next; index += 13) {
        expect(await nearest(app, index)).toEqual([idOf(index), 1]);
      }
      const { memory } = await app.memory.getMemory({ id: idOf(1) });
      expect(memory?.embedding).toMatchObject(one.identity);
    }
  });
});

describe("a re-embedding", () => {
  it("is started once: the same target or request again returns it, another one is refused", async () => {
    await using app = await start(openAi());
    await fill(app, 3);
    provider.always({ kind: "hang" });
    const first = await app.operations.startReembedding({ model: "model-y", requestId: "r1" });
    const again = await app.operations.startReembedding({ model: "model-y" });
    expect(again.reembedding?.id).toBe(first.reembedding?.id);
    expect(await refusalOf(app.operations.startReembedding({ model: "model-z" }))).toMatchObject({
      code: "FailedPrecondition",
      reason: "REEMBEDDING_CONFLICT",
      metadata: { cause: "running", id: first.reembedding?.id },
    });
    expect(
      await refusalOf(app.operations.startReembedding({ model: "model-z", requestId: "r1" })),
    ).toMatchObject({ reason: "REQUEST_ID_REUSED" });
    expect((await app.operations.getEmbeddingInfo({})).reembedding?.id).toBe(first.reembedding?.id);
    expect(await refusalOf(app.operations.getReembedding({ id: "none" }))).toMatchObject({
      code: "NotFound",
      reason: "REEMBEDDING_NOT_FOUND",
    });
  });

  it("is refused to the current model, to another model of `hashing`, and without vector search", async () => {
    {
      await using app = await start();
      expect(await refusalOf(app.operations.startReembedding({ dimension: 64 }))).toMatchObject({
        reason: "REEMBEDDING_CONFLICT",
        metadata: { cause: "unchanged" },
      });
      expect(await refusalOf(app.operations.startReembedding({ model: "x" }))).toMatchObject({
        reason: "REQUEST_INVALID",
        fields: ["model"],
      });
    }
    await using off = await start({ ENABLE_VECTOR_SEARCH: "false" });
    expect(await refusalOf(off.operations.startReembedding({ dimension: 96 }))).toMatchObject({
      reason: "VECTOR_SEARCH_DISABLED",
    });
  });

  it("fails for an unknown model, and changes nothing", async () => {
    await using app = await start(openAi());
    await fill(app, 3);
    provider.always({ kind: "status", status: 404 });
    const { reembedding } = await app.operations.startReembedding({ model: "model-y" });
    const id = reembedding?.id ?? "";
    expect(await finalState(app, id)).toBe(State.FAILED);
    provider.always({ kind: "answer" });
    expect((await app.operations.getReembedding({ id })).reembedding?.failure).not.toBe("");
    expect(await nearest(app, 1)).toEqual([idOf(1), 1]);
    expect((await app.operations.getEmbeddingInfo({})).model).toBe("model-x");
  });

  it("changes the model and back, and embeds a memory that had no vector", async () => {
    await using picky = await startOpenAiServer({ dimension: 64, refuses: "unspeakable" });
    const env = { ...openAi(), EMBEDDING_API_BASE: picky.apiBase };
    await using app = await start(env);
    await fill(app, 3);
    await app.memory.createMemory({ memory: { id: "refused", text: "unspeakable" } });
    for (const model of ["model-y", "model-x"]) {
      expect(await finalState(app, await startChange(app, model))).toBe(State.DONE);
      await drained(app);
      expect((await app.operations.getEmbeddingInfo({})).model).toBe(model);
      expect(await nearest(app, 2)).toEqual([idOf(2), 1]);
    }
  });

  it("makes a start with a third model fail, with the setting to change", async () => {
    {
      await using app = await start();
      await fill(app, 1);
    }
    await expect(start({ ...HASHING, VECTOR_DIM: "128" })).rejects.toThrow(
      /VECTOR_DIM=64.*VECTOR_DIM=128.*StartReembedding/,
    );
  });

  it("allows a start with the previous settings, after several changes and during one", async () => {
    const settings = openAi("model-x");
    const modelOf = async (app: TestApp) => (await app.operations.getEmbeddingInfo({})).model;
    let id = "";
    {
      await using app = await start(settings);
      await fill(app, 40);
      for (const model of ["model-y", "model-z"]) {
        id = await startChange(app, model);
        expect(await finalState(app, id)).toBe(State.DONE);
      }
    }
    {
      await using app = await start(settings);
      expect(await modelOf(app)).toBe("model-z");
      provider.always({ kind: "hang" });
      id = await startChange(app, "model-w");
    }
    for (const env of [settings, openAi("model-w")]) {
      await using app = await start(env);
      expect([await modelOf(app), await stateOf(app, id)]).toEqual(["model-z", State.RUNNING]);
    }
    await expect(start(openAi("model-y"))).rejects.toThrow(/StartReembedding/);
    provider.always({ kind: "answer" });
    await using app = await start(openAi("model-z"));
    expect(await finalState(app, id)).toBe(State.DONE);
    expect(await modelOf(app)).toBe("model-w");
  });

  it("removes cache entries from semantic lookups, not from exact ones, until they are stored again", async () => {
    await using app = await start();
    const store = () =>
      app.cache.storeCacheEntry({
        prompt: { prompt: { case: "text", value: "How do I cancel my order?" } },
        origin: { case: "scope", value: { model: "m" } },
        response: "Open Orders.",
      });
    const lookUp = async (value: string) =>
      (
        await app.cache.lookupCache({
          prompt: { prompt: { case: "text", value } },
          scope: { model: "m" },
          options: { threshold: 0.3 },
        })
      ).outcome.case;
    await store();
    expect(await lookUp("How can I cancel my order?")).toBe("hit");
    const { reembedding } = await app.operations.startReembedding({ dimension: 96 });
    expect(await finalState(app, reembedding?.id ?? "")).toBe(State.DONE);
    expect(await lookUp("How can I cancel my order?")).toBe("miss");
    expect(await lookUp("How do I cancel my order?")).toBe("hit");
    await store();
    expect(await lookUp("How can I cancel my order?")).toBe("hit");
  });
});
