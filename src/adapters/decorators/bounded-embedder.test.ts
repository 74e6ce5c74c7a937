import { describe, expect, it } from "vitest";
import { kindOf, never, scriptedEmbedder } from "../../../test/support/scripted-embedder.ts";
import { bounded } from "./bounded-embedder.ts";

describe("bounded", () => {
  it("refuses a call beyond the limits with a retry delay, and accepts it when there is room", async () => {
    const provider = scriptedEmbedder();
    provider.next("hang", "hang");
    const embedder = bounded(provider, { maxTexts: 3, maxCharacters: 100 });
    const first = embedder.embed(["a", "b"], never());
    const second = embedder.embed(["c"], never());
    await expect(embedder.embed(["d"], never())).rejects.toMatchObject({
      reason: "EMBEDDER_OVERLOADED",
      detail: { retryAfterMs: 1000 },
    });
    provider.calls[0]?.release();
    await first;
    expect(await kindOf(embedder.embed(["d"], never()))).toBeUndefined();
    provider.calls[1]?.release();
    await second;
  });

  it("counts characters too, and frees them when a call fails", async () => {
    const provider = scriptedEmbedder();
    provider.next("hang");
    const embedder = bounded(provider, { maxTexts: 100, maxCharacters: 10 });
    const controller = new AbortController();
    const first = embedder.embed(["12345678"], controller.signal);
    expect(await kindOf(embedder.embed(["123"], never()))).toBe("OVERLOADED");
    controller.abort(new Error("aborted"));
    await expect(first).rejects.toThrow();
    expect(await kindOf(embedder.embed(["123"], never()))).toBeUndefined();
  });

  it("accepts a call that is larger than the limits when the queue is empty", async () => {
    const embedder = bounded(scriptedEmbedder(), { maxTexts: 1, maxCharacters: 1 });
    expect(await embedder.embed(["abc", "def"], never())).toHaveLength(2);
  });
});
