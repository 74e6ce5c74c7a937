import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Memory_Embedding_State as EmbeddingState, type Memory } from "#gen/recollect/v1/memory_pb.js";
import { manualSleep } from "../support/manual-sleep.ts";
import { type OpenAiServerOptions, startOpenAiServer } from "../support/openai-server.ts";
import { startApp, type TestApp, type TestAppOptions } from "../support/start-app.ts";

const START = Date.UTC(2026, 0, 1);

let dataDir: string;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "recollect-parameters-"));
});
afterEach(() => rm(dataDir, { recursive: true }));

/** A server with that provider; without retries, because their delays would be real. */
function start(apiBase: string, env: TestAppOptions["env"] = {}): Promise<TestApp> {
  return startApp({
    dataDir,
    env: {
      EMBEDDING_PROVIDER: "openai",
      EMBEDDING_API_BASE: apiBase,
      EMBEDDING_API_KEY: "a-key",
      EMBEDDING_MODEL: "a-model",
      VECTOR_DIM: "384",
      ...env,
    },
    overrides: { clock: { now: () => START }, sleep: manualSleep().sleep },
    configure: (config) => ({ ...config, embedding: { ...config.embedding, maxRetries: 0 } }),
  });
}

const remember = (app: TestApp, text: string) => app.memory.createMemory({ memory: { text } });
const stateOf = ({ memory }: { readonly memory?: Memory | undefined }) =>
  EmbeddingState[memory?.embedding?.state ?? 0];

describe("a provider that rejects request parameters", () => {
  it.each<[string, OpenAiServerOptions, NonNullable<TestAppOptions["env"]>, readonly unknown[]]>([
    ["base64", { refusesEncoding: ["base64"] }, {}, ["base64", "float", "float"]],
    ["base64, silently", { answersIn: "float" }, {}, ["base64", "float"]],
    [
      "dimensions",
      { refusesDimensions: true, refusal: { status: 400, says: "dimensions: unknown" } },
      { EMBEDDING_MODEL: "text-embedding-3-small" },
      ["base64", "base64", "base64"],
    ],
    [
      "anything, as is set",
      { refusesEncoding: ["any"] },
      { EMBEDDING_ENCODING_FORMAT: "omit" },
      [undefined, undefined],
    ],
    [
      "anything but numbers, as is set",
      { refusesEncoding: ["base64"] },
      { EMBEDDING_ENCODING_FORMAT: "FLOAT" },
      ["float", "float"],
    ],
  ])("still embeds every memory: %s", async (_, options, env, formats) => {
    await using provider = await startOpenAiServer(options);
    await using app = await start(provider.apiBase, env);
    expect(stateOf(await remember(app, "Ann is allergic to peanuts"))).toBe("READY");
    expect(stateOf(await remember(app, "The meeting is on Monday"))).toBe("READY");
    expect(provider.received.map(({ body }) => body["encoding_format"])).toEqual(formats);
    expect(provider.received.at(-1)?.body["dimensions"]).toBeUndefined();
  });

  it("gets `dimensions` for any model when the setting says so", async () => {
    await using provider = await startOpenAiServer();
    await using app = await start(provider.apiBase, { EMBEDDING_DIMENSIONS: "send" });
    await remember(app, "Ann is allergic to peanuts");
    expect(provider.received[0]?.body["dimensions"]).toBe(384);
  });

  it("gets the configured api-version, and the key in the header of Azure", async () => {
    await using provider = await startOpenAiServer({ apiVersion: "2024-10-21" });
    await using app = await start(provider.apiBase, { EMBEDDING_API_VERSION: "2024-10-21" });
    expect(stateOf(await remember(app, "Ann is allergic to peanuts"))).toBe("READY");
    expect(provider.received[0]).toMatchObject({
      url: "/v1/embeddings?api-version=2024-10-21",
      apiKey: "a-key",
    });
  });

  it.each([
    ["EMBEDDING_ENCODING_FORMAT", "binary"],
    ["EMBEDDING_DIMENSIONS", "yes"],
  ])("%s=%s is an invalid value", async (name, value) => {
    await expect(start("http://127.0.0.1:1/v1", { [name]: value })).rejects.toThrow(name);
  });
});
