import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Memory_Embedding_State as EmbeddingState, type Memory } from "#gen/recollect/v1/memory_pb.js";
import { refusalOf } from "../support/errors.ts";
import { manualSleep } from "../support/manual-sleep.ts";
import { startOpenAiServer } from "../support/openai-server.ts";
import { startApp, type TestApp } from "../support/start-app.ts";

const START = Date.UTC(2026, 0, 1);

let dataDir: string;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "recollect-refusal-"));
});
afterEach(() => rm(dataDir, { recursive: true }));

/** A server with that provider; without retries, because their delays would be real. */
function start(apiBase: string): Promise<TestApp> {
  return startApp({
    dataDir,
    env: {
      EMBEDDING_PROVIDER: "openai",
      EMBEDDING_API_BASE: apiBase,
      EMBEDDING_API_KEY: "a-key",
      EMBEDDING_MODEL: "a-model",
      VECTOR_DIM: "384",
    },
    overrides: { clock: { now: () => START }, sleep: manualSleep().sleep },
    configure: (config) => ({ ...config, embedding: { ...config.embedding, maxRetries: 0 } }),
  });
}

const remember = (app: TestApp, text: string) => app.memory.createMemory({ memory: { text } });
const stateOf = ({ memory }: { readonly memory?: Memory | undefined }) =>
  EmbeddingState[memory?.embedding?.state ?? 0];

describe("a text that the provider refuses", () => {
  it("has the cause in the memory and in GetEmbeddingInfo, and is sent once for each start of the server", async () => {
    await using provider = await startOpenAiServer({ refuses: "unspeakable" });
    // Until base64 is accepted, a refusal may be caused by it: the request is retried once without it.
    const asked = () =>
      provider.received.filter(
        ({ texts, body }) => texts.includes("unspeakable") && body["encoding_format"] === "base64",
      ).length;
    let id: string;
    {
      await using app = await start(provider.apiBase);
      await remember(app, "Ann is allergic to peanuts");
      const created = await remember(app, "unspeakable");
      id = created.memory?.id ?? "";
      expect(created.memory?.embedding).toMatchObject({
        state: EmbeddingState.REFUSED,
        refusal: "400 (some_code)",
      });
      const before = asked();
      // Updated without a new text.
      const { memory } = await app.memory.updateMemory({
        memory: { id, importance: 0.9 },
        updateMask: { paths: ["importance"] },
      });
      expect(memory?.embedding?.refusal).toBe("400 (some_code)");
      await remember(app, "The meeting is on Monday");
      expect(asked()).toBe(before);
      expect(await app.operations.getEmbeddingInfo({})).toMatchObject({
        pendingCount: 0,
        refusedCount: 1,
        latestRefusals: [{ reason: "400 (some_code)", refuseTime: timestampFromMs(START) }],
      });
      const found = await app.memory.getMemory({ id });
      expect(found.memory?.embedding?.refusal).toBe("400 (some_code)");
    }
    const before = asked();
    await using again = await start(provider.apiBase);
    // No other event wakes the queue, so the request comes from the start.
    await expect.poll(asked).toBe(before + 1);
    await expect
      .poll(async () => (await again.operations.getEmbeddingInfo({})).latestRefusals)
      .toHaveLength(1);
    await remember(again, "Deploy on Tuesday");
    expect(asked()).toBe(before + 1);
    expect(stateOf(await again.memory.getMemory({ id }))).toBe("REFUSED");

    // A new text is sent again.
    const { memory } = await again.memory.updateMemory({
      memory: { id, text: "fine" },
      updateMask: { paths: ["text"] },
    });
    expect(memory?.embedding).toMatchObject({ state: EmbeddingState.READY, refusal: "" });
    expect(await again.operations.getEmbeddingInfo({})).toMatchObject({
      refusedCount: 0,
      latestRefusals: [],
    });
    expect(await refusalOf(again.memory.getMemory({ id: "another" }))).toMatchObject({ code: "NotFound" });
  });
});
