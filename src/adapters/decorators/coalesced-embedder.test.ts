import { describe, expect, it } from "vitest";
import { until } from "../../../test/support/leaks.ts";
import {
  failure,
  kindOf,
  never,
  scriptedEmbedder,
  vectorOfText,
} from "../../../test/support/scripted-embedder.ts";
import { coalesced } from "./coalesced-embedder.ts";
import { splitting } from "./splitting-embedder.ts";

function open(options: { readonly maxTexts?: number; readonly maxConcurrent?: number } = {}) {
  const provider = scriptedEmbedder();
  const embedder = coalesced(splitting(provider), {
    batch: { maxTexts: options.maxTexts ?? 100, maxCharacters: 1000 },
    windowMs: 1,
    maxConcurrent: options.maxConcurrent ?? 4,
  });
  return { provider, embedder, texts: () => provider.calls.map((call) => call.texts) };
}

describe("coalesced", () => {
  it("batches the texts of concurrent callers, each once, and returns the vectors of each caller", async () => {
    const { embedder, texts } = open();
    const answers = await Promise.all([
      embedder.embed(["a", "b"], never()),
      embedder.embed(["b", "c", "b"], never()),
      embedder.embed([], never()),
    ]);
    expect(texts()).toEqual([["a", "b", "c"]]);
    expect(answers).toEqual([["a", "b"], ["b", "c", "b"], []].map((list) => list.map(vectorOfText)));
  });

  it("respects the limits of texts in a request and of concurrent requests", async () => {
    const { provider, embedder } = open({ maxTexts: 2, maxConcurrent: 2 });
    provider.next("hang", "hang");
    const all = embedder.embed(["a", "b", "c", "d", "e"], never());
    expect(await until(() => provider.calls.length === 2)).toBe(true);
    provider.calls[1]?.release();
    expect(await until(() => provider.calls.length === 3)).toBe(true);
    provider.calls[0]?.release();
    expect(await all).toHaveLength(5);
    expect(provider.calls.map(({ texts }) => texts)).toEqual([["a", "b"], ["c", "d"], ["e"]]);
  });

  it("does not request a text again that is in flight", async () => {
    const { provider, embedder, texts } = open();
    provider.next("hang");
    const first = embedder.embed(["a"], never());
    expect(await until(() => provider.calls.length === 1)).toBe(true);
    const second = embedder.embed(["a"], never());
    provider.calls[0]?.release();
    expect(await Promise.all([first, second])).toEqual([[vectorOfText("a")], [vectorOfText("a")]]);
    expect(texts()).toEqual([["a"]]);
  });

  it("rejects all callers of a failed text, and requests it again later", async () => {
    const { provider, embedder, texts } = open();
    provider.next("SERVER_ERROR");
    const both = [embedder.embed(["a"], never()), embedder.embed(["a"], never())];
    expect(await Promise.all(both.map(kindOf))).toEqual(["SERVER_ERROR", "SERVER_ERROR"]);
    expect(await embedder.embed(["a"], never())).toHaveLength(1);
    expect(texts()).toEqual([["a"], ["a"]]);
  });

  it("serves the other callers when one aborts, for queued texts and texts in flight", async () => {
    const { provider, embedder, texts } = open();
    provider.next("hang");
    const controller = new AbortController();
    const reason = new Error("aborted");
    const [aborted, other] = [embedder.embed(["a", "b"], controller.signal), embedder.embed(["b"], never())];
    expect(await until(() => provider.calls.length === 1)).toBe(true);
    controller.abort(reason);
    await expect(aborted).rejects.toBe(reason);
    expect(provider.calls[0]?.signal.aborted).toBe(false);
    provider.calls[0]?.release();
    expect(await other).toEqual([vectorOfText("b")]);

    const call = new AbortController();
    const queued = [embedder.embed(["c", "d"], call.signal), embedder.embed(["d"], never())] as const;
    call.abort(reason);
    await expect(queued[0]).rejects.toBe(reason);
    expect(await queued[1]).toEqual([vectorOfText("d")]);
    expect(texts()).toEqual([["a", "b"], ["d"]]);
  });

  it("does not mix lookups and writes in a request", async () => {
    const { provider, embedder } = open();
    await Promise.all([embedder.embed(["a"], never(), "LOOKUP"), embedder.embed(["a"], never(), "WRITE")]);
    expect(provider.calls.map(({ urgency }) => urgency).sort()).toEqual(["LOOKUP", "WRITE"]);
  });

  it("rejects all callers when it is disposed, and resolves when no request is in flight", async () => {
    const { provider, embedder } = open({ maxTexts: 1, maxConcurrent: 1 });
    provider.next("hang");
    const outcomes = Promise.all(["a", "b"].map((text) => kindOf(embedder.embed([text], never()))));
    expect(await until(() => provider.calls.length === 1)).toBe(true);
    await embedder[Symbol.asyncDispose]();
    expect(await outcomes).toEqual(["STOPPING", "STOPPING"]);
    expect(provider.calls[0]?.signal.aborted).toBe(true);
    expect(await kindOf(embedder.embed(["c"], never()))).toBe("STOPPING");
    expect(provider.calls).toHaveLength(1);
  });

  it("gives each caller the outcome of its own texts", async () => {
    const provider = scriptedEmbedder();
    const picky = {
      ...provider,
      embed: async (...[texts, signal, urgency]: Parameters<typeof provider.embed>) => {
        if (texts.includes("bad")) throw failure("INPUT_REFUSED");
        return provider.embed(texts, signal, urgency);
      },
    };
    const embedder = coalesced(splitting(picky), {
      batch: { maxTexts: 100, maxCharacters: 1000 },
      windowMs: 1,
      maxConcurrent: 1,
    });
    const outcomes = ["a", "bad", "b"].map((text) => kindOf(embedder.embed([text], never())));
    expect(await Promise.all(outcomes)).toEqual([undefined, "INPUT_REFUSED", undefined]);
  });
});
