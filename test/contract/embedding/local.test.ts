import { describe, expect, it } from "vitest";
import { openLocalEmbedder } from "../../../src/adapters/local/embedder.ts";
import { dot } from "../../../src/domain/embedding/vector.ts";
import { embedderContract } from "./embedder.ts";

const embedder = await openLocalEmbedder();
embedderContract("local", () => embedder);

describe("The local embedder", () => {
  const embed = async (texts: readonly string[]) => embedder.embed(texts, new AbortController().signal);

  it("gives unit vectors, to texts without words too", async () => {
    for (const { vector } of await embed(["", " ", "?!", "🎉", "the", "one two three", "\ud800", "東"])) {
      expect(vector).toHaveLength(256);
      expect(Math.sqrt(dot(vector, vector))).toBeCloseTo(1, 5);
    }
  });

  it("gives the very same numbers again", async () => {
    const texts = ["", "one two three", "Zürich 東京 🎉"];
    expect(await embed(texts)).toEqual(await embed(texts));
  });

  it("truncates nothing", async () => {
    const long = "word ".repeat(13_000);
    const embedded = await embed([long, `${long} end`]);
    expect(embedded.map(({ truncated }) => truncated)).toEqual([false, false]);
    expect(embedded[0]?.vector).not.toEqual(embedded[1]?.vector);
  });
});
