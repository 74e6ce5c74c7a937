import { describe, expect, it } from "vitest";
import { createHashingEmbedder } from "../../../src/adapters/hashing/embedder.ts";
import { dot } from "../../../src/domain/embedding/vector.ts";
import { embedderContract } from "./embedder.ts";

embedderContract("hashing, 384 numbers", () => createHashingEmbedder(384));
embedderContract("hashing, 1536 numbers", () => createHashingEmbedder(1536));

describe("The hashing embedder", () => {
  const embed = async (texts: readonly string[], dimension: number) =>
    (await createHashingEmbedder(dimension).embed(texts, new AbortController().signal)).map(
      ({ vector }) => vector,
    );

  it.each([1, 2, 8, 100, 4096])(
    "gives unit vectors of %d numbers, to texts without words too",
    async (dimension) => {
      const vectors = await embed(["", " ", "?!", "🎉", "the", "one two three", "one one one"], dimension);
      for (const vector of vectors) {
        expect(vector).toHaveLength(dimension);
        expect(Math.sqrt(dot(vector, vector))).toBeCloseTo(1, 5);
      }
    },
  );

  it("gives the very same numbers again", async () => {
    const texts = ["", "one two three", "Zürich 東京 🎉"];
    expect(await embed(texts, 384)).toEqual(await embed(texts, 384));
  });

  it("truncates nothing", async () => {
    const long = "word ".repeat(13_000);
    const signal = new AbortController().signal;
    const embedded = await createHashingEmbedder(64).embed([long, `${long} end`], signal);
    expect(embedded.map(({ truncated }) => truncated)).toEqual([false, false]);
    expect(embedded[0]?.vector).not.toEqual(embedded[1]?.vector);
  });
});
