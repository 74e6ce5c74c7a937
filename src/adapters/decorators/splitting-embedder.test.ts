import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { failure, never, SCRIPTED_DIMENSION, vectorOfText } from "../../../test/support/scripted-embedder.ts";
import { failureKind } from "../../domain/embedding/failure.ts";
import type { Embedder } from "../../ports/embedding/embedder.ts";
import { splitting } from "./splitting-embedder.ts";

/** A provider that refuses texts by this predicate, and records its requests. */
function provider(refuses: (texts: readonly string[]) => boolean): Embedder & { readonly asked: string[][] } {
  const asked: string[][] = [];
  return {
    identity: { provider: "scripted", model: "m", dimension: SCRIPTED_DIMENSION },
    asked,
    embed: async (texts) => {
      asked.push([...texts]);
      if (refuses(texts)) throw failure("INPUT_REFUSED");
      return texts.map(vectorOfText);
    },
  };
}

const outcomesOf = (embedder: Embedder, texts: readonly string[]) =>
  splitting(embedder).embedEach(texts, never(), "WRITE");

async function kinds(embedder: Embedder, texts: readonly string[]): Promise<string[]> {
  return (await outcomesOf(embedder, texts)).map((outcome) =>
    outcome.status === "fulfilled" ? "ok" : (failureKind(outcome.reason) ?? "another error"),
  );
}

describe("splitting", () => {
  it("sends one request when nothing is refused", async () => {
    const embedder = provider(() => false);
    expect(await kinds(embedder, ["a", "b", "c"])).toEqual(["ok", "ok", "ok"]);
    expect(embedder.asked).toEqual([["a", "b", "c"]]);
  });

  it("halves a request that is too large until its parts are accepted", async () => {
    const embedder = provider((texts) => texts.length > 3);
    const texts = Array.from({ length: 10 }, (_, index) => `text ${index}`);
    const outcomes = await outcomesOf(embedder, texts);
    expect(outcomes).toEqual(texts.map((text) => ({ status: "fulfilled", value: vectorOfText(text) })));
    expect(embedder.asked.map(({ length }) => length)).toEqual([10, 5, 3, 2, 5, 3, 2]);
  });

  it("rejects only the text that the provider refuses", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(99), async (bad) => {
        const texts = Array.from({ length: 100 }, (_, index) => `text ${index}`);
        const embedder = provider((part) => part.includes(`text ${bad}`));
        const expected = texts.map((_, index) => (index === bad ? "INPUT_REFUSED" : "ok"));
        expect(await kinds(embedder, texts)).toEqual(expected);
        expect(embedder.asked.length).toBeLessThan(20);
      }),
    );
  });

  it("embeds the beginning of a text that is too long, and marks only that text", async () => {
    const embedder = provider((texts) => texts.some((text) => text.length > 1000));
    const long = "word ".repeat(800);
    const outcomes = await outcomesOf(embedder, ["short", long, "also short"]);
    expect(outcomes).toEqual([
      { status: "fulfilled", value: vectorOfText("short") },
      { status: "fulfilled", value: { ...vectorOfText(long.slice(0, 1000)), truncated: true } },
      { status: "fulfilled", value: vectorOfText("also short") },
    ]);
  });

  it("does not try the whole batch when the provider refuses everything", async () => {
    const embedder = provider(() => true);
    const texts = Array.from({ length: 128 }, (_, index) => `text ${index}`);
    const found = await kinds(embedder, texts);
    expect(found.slice(0, 2)).toEqual(["INPUT_REFUSED", "INPUT_REFUSED"]);
    expect(new Set(found.slice(2))).toEqual(new Set(["MISCONFIGURED"]));
    expect(embedder.asked.length).toBeLessThan(12);
  });

  it("sends no more requests after a failure of the provider, and returns the vectors before it", async () => {
    let requests = 0;
    const embedder: Embedder = {
      identity: { provider: "scripted", model: "m", dimension: SCRIPTED_DIMENSION },
      embed: async (texts) => {
        requests += 1;
        if (requests === 1) throw failure("INPUT_REFUSED");
        if (requests === 3) throw failure("SERVER_ERROR");
        return texts.map(vectorOfText);
      },
    };
    expect(await kinds(embedder, ["a", "b", "c", "d"])).toEqual(["ok", "ok", "SERVER_ERROR", "SERVER_ERROR"]);
    expect(requests).toBe(3);
  });
});
