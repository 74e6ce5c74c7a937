import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SearchMemoriesRequest_Mode as Mode } from "#gen/recollect/v1/memory_pb.js";
import { Reembedding_State as State } from "#gen/recollect/v1/operations_pb.js";
import { LOCAL_MODEL } from "../../src/domain/embedding/built-in-models.ts";
import { backendSettings } from "../support/backend-of-run.ts";
import { refusalOf, toRefusal } from "../support/errors.ts";
import { startApp, type TestApp } from "../support/start-app.ts";
import { startProcess } from "../support/start-process.ts";

/** Without embedding settings, as on a first start. */
const DEFAULT = { EMBEDDING_PROVIDER: "" };
const HASHING = { EMBEDDING_PROVIDER: "hashing", VECTOR_DIM: "96" };

let dataDir: string;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "recollect-local-"));
});
afterEach(async () => {
  await rm(dataDir, { recursive: true });
});

const start = (env: Readonly<Record<string, string>>): Promise<TestApp> => startApp({ dataDir, env });

const UNRELATED = [
  "Lisbon is sunny in October",
  "We planted tomatoes behind the house",
  "The quarterly report is due on Friday",
  "Ana plays the violin",
  "The deployment runs from the main branch",
];

describe("a first start without settings", () => {
  it.each([
    ["car trouble", "the automobile would not start"],
    ["what did the doctor say", "the physician prescribed rest"],
  ])("answers %j with %j", async (text, meant) => {
    await using app = await start(DEFAULT);
    for (const one of [...UNRELATED, meant]) await app.memory.createMemory({ memory: { text: one } });
    for (const mode of [Mode.HYBRID, Mode.VECTOR]) {
      const { results } = await app.memory.searchMemories({
        query: { by: { case: "text", value: text } },
        mode,
      });
      expect(results[0]?.memory?.text).toBe(meant);
    }
    expect(await app.operations.getEmbeddingInfo({})).toMatchObject(LOCAL_MODEL);
  });

  it("logs no warning", async () => {
    await using server = await startProcess({ ...DEFAULT, LOG_FORMAT: "json" });
    await server.lineWith('"serving"');
    const warnings = server
      .stdout()
      .split("\n")
      .filter((line) => /"level":"(WARN|ERROR)/.test(line));
    expect(warnings).toEqual([]);
  });
});

describe("a store created with hashing", () => {
  const makeWithHashing = async (): Promise<void> => {
    await using app = await start(HASHING);
    await app.memory.createMemory({ memory: { id: "car", text: "the automobile would not start" } });
  };

  it("keeps hashing without settings, and logs which method to call", async () => {
    await makeWithHashing();
    {
      await using server = await startProcess({
        ...DEFAULT,
        ...backendSettings(dataDir),
        LOG_FORMAT: "json",
      });
      await server.lineWith('"serving"');
      const lines = server
        .stdout()
        .split("\n")
        .filter((line) => line.includes("StartReembedding"));
      expect(lines).toHaveLength(1);
      expect(lines[0]).toContain(LOCAL_MODEL.model);
    }
    await using app = await start(DEFAULT);
    expect(await app.operations.getEmbeddingInfo({})).toMatchObject({ provider: "hashing", dimension: 96 });
    const { memory } = await app.memory.createMemory({ memory: { text: "more" } });
    expect(memory?.embedding).toMatchObject({ provider: "hashing", dimension: 96 });
  });

  it("refuses a server with EMBEDDING_PROVIDER=local", async () => {
    await makeWithHashing();
    await (await start(DEFAULT))[Symbol.asyncDispose]();
    const refusal = await start({ EMBEDDING_PROVIDER: "local" }).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(String(refusal)).toContain("StartReembedding");
  });

  /** A start is refused while the vectors of the one before are still being removed. */
  const startWhenClean = async (app: TestApp, model: string, dimension: number) => {
    for (;;) {
      try {
        return await app.operations.startReembedding({ model, dimension });
      } catch (error) {
        const isCleaningUp = toRefusal(error).metadata["cause"] === "cleaning_up";
        if (!isCleaningUp) throw error;
      }
    }
  };

  it("changes to local by StartReembedding, and back", async () => {
    await makeWithHashing();
    await using app = await start(DEFAULT);
    const change = async (model: string, dimension: number) => {
      const { reembedding } = await startWhenClean(app, model, dimension);
      for (;;) {
        const { reembedding: now } = await app.operations.getReembedding({ id: reembedding?.id ?? "" });
        if (now?.state !== State.RUNNING) return now?.state;
      }
    };
    expect(await change(LOCAL_MODEL.model, 0)).toBe(State.DONE);
    expect(await app.operations.getEmbeddingInfo({})).toMatchObject(LOCAL_MODEL);
    const { results } = await app.memory.searchMemories({
      query: { by: { case: "text", value: "car trouble" } },
      mode: Mode.VECTOR,
    });
    expect(results[0]?.memory?.id).toBe("car");
    expect(await change("hashing-1", 64)).toBe(State.DONE);
    expect(await app.operations.getEmbeddingInfo({})).toMatchObject({ provider: "hashing", dimension: 64 });
    expect(
      await refusalOf(app.operations.startReembedding({ model: LOCAL_MODEL.model, dimension: 64 })),
    ).toMatchObject({
      fields: ["dimension"],
    });
  });
});
