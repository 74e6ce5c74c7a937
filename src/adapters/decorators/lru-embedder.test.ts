import { describe, expect, it } from "vitest";
import {
  never,
  recordedMetrics,
  scriptedEmbedder,
  vectorOfText,
} from "../../../test/support/scripted-embedder.ts";
import { cached } from "./lru-embedder.ts";

const SOURCE = { provider: "scripted", apiBase: "http://a/v1", model: "m", dimension: 4 };

describe("remembered", () => {
  it("holds no more bytes than it may, and forgets what was not asked for the longest", async () => {
    const provider = scriptedEmbedder();
    // Two vectors of four numbers with what is around them, and not three.
    const embedder = cached(provider, {
      source: SOURCE,
      ttlMs: 1000,
      maxBytes: 700,
      clock: { now: () => 1_700_000_000_000 },
      metrics: recordedMetrics(),
    });
    for (const text of ["a", "b", "a", "c"]) await embedder.embed([text], never());
    expect(provider.calls.map((call) => call.texts)).toEqual([["a"], ["b"], ["c"]]);
    expect(await embedder.embed(["a", "b", "c"], never())).toEqual(["a", "b", "c"].map(vectorOfText));
    expect(provider.calls.at(-1)?.texts).toEqual(["b"]);
  });
});
