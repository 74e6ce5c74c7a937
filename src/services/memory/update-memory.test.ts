import { describe, expect, it } from "vitest";
import { memory } from "../../../test/support/builders.ts";
import { unboundedWork } from "../../../test/support/unbounded-work.ts";
import { ModelChanged } from "../../domain/embedding/identity.ts";
import type { Embedder } from "../../ports/embedding/embedder.ts";
import type { Replacement } from "../../ports/memory/writer.ts";
import { updateMemory } from "./update-memory.ts";

const NOW = 1_700_000_000_000;
const STORED = memory({
  id: "m",
  text: "Ann likes tea",
  importance: 0.5,
  createTime: NOW,
  updateTime: NOW,
  etag: "e",
  embedding: { state: "READY", provider: "p", model: "old", dimension: 2, truncated: false },
});
const EMBEDDED = Float32Array.of(1, 0);
const KEPT = Float32Array.of(0, 1);
const EMBEDDER: Embedder = {
  identity: { provider: "p", model: "new", dimension: 2 },
  embed: async (texts) => texts.map(() => ({ vector: EMBEDDED, truncated: false })),
};

describe("an update that does not change the text", () => {
  it("keeps the vector", async () => {
    expect((await correct(async () => [KEPT])).vector).toBe(KEPT);
  });

  it("embeds again when the model changes while the stored vector is read", async () => {
    expect((await correct(() => Promise.reject(new ModelChanged()))).vector).toBe(EMBEDDED);
  });

  it("rejects with other errors of the store", async () => {
    await expect(correct(() => Promise.reject(new TypeError("broken")))).rejects.toThrow("broken");
  });
});

/** The written memory. */
async function correct(vectors: () => Promise<Float32Array[]>): Promise<Replacement> {
  const written: Replacement[] = [];
  await updateMemory(
    {
      memories: {
        reader: { get: async () => [STORED] },
        search: { vectors },
        writer: {
          replace: async (_scope, _etag, replacement) => {
            written.push(replacement);
            return replacement.memory;
          },
          replayReplace: async () => undefined,
        },
      },
      embedder: EMBEDDER,
      embeddingWaitMs: 1000,
      clock: { now: () => NOW },
      work: unboundedWork,
      writeGuards: () => ({ secrets: "FLAG", recallLoopMs: 0 }),
      metrics: { writeGuard: () => undefined },
    },
    { namespace: "", id: "m", etag: "", patch: { ...STORED, importance: 0.9 }, fields: ["importance"] },
    {
      caller: { tenant: "t", principal: "p", roles: new Set(), debug: false },
      signal: new AbortController().signal,
      arrival: 0,
      deadline: Number.POSITIVE_INFINITY,
    },
  );
  const [replacement] = written;
  if (replacement === undefined) throw new Error("nothing was written");
  return replacement;
}
