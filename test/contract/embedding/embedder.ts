import { describe, expect, it } from "vitest";
import { dot } from "../../../src/domain/embedding/vector.ts";
import type { Embedder } from "../../../src/ports/embedding/embedder.ts";

/** Two texts of nearly the same meaning, and an unrelated third. */
const TRIPLES: readonly (readonly [text: string, near: string, unrelated: string])[] = [
  ["The cat is sleeping on the sofa", "A cat sleeps on the sofa", "Quarterly revenue grew by nine percent"],
  ["How do I reset my password?", "How can I reset the password?", "The weather in Lisbon is sunny today"],
  [
    "Ann is allergic to peanuts",
    "Ann has an allergy to peanuts",
    "Deployments run from the main branch on Tuesdays",
  ],
];

const ODD_TEXTS: readonly string[] = [
  "!",
  "a",
  "👩‍👩‍👧‍👦 🏳️‍🌈",
  "مرحبا بالعالم",
  "東京都の天気",
  '"; DROP TABLE memory; --',
  "word ".repeat(13_000),
];

/** The contract of Embedder. `open` returns a working one; two of them have the same model. */
export function embedderContract(name: string, open: () => Embedder): void {
  describe(`Embedder, ${name}`, () => {
    const vectorsOf = async (texts: readonly string[], embedder = open()): Promise<Float32Array[]> =>
      (await embedder.embed(texts, new AbortController().signal)).map(({ vector }) => vector);

    it("reports the same model each time", () => {
      const { identity } = open();
      expect(identity).toEqual({
        provider: expect.stringMatching(/./),
        model: expect.stringMatching(/./),
        dimension: expect.any(Number),
      });
      expect(Number.isInteger(identity.dimension) && identity.dimension > 0).toBe(true);
      expect(open().identity).toEqual(identity);
    });

    it("gives no vector for no text", async () => {
      expect(await vectorsOf([])).toEqual([]);
    });

    it("gives one vector per text, of its dimension and of unit length", async () => {
      const embedder = open();
      const texts = [...TRIPLES.flat(), ...ODD_TEXTS];
      const vectors = await vectorsOf(texts, embedder);
      expect(vectors).toHaveLength(texts.length);
      for (const vector of vectors) {
        expect(vector).toBeInstanceOf(Float32Array);
        expect(vector).toHaveLength(embedder.identity.dimension);
        expect(Math.sqrt(dot(vector, vector))).toBeCloseTo(1, 4);
      }
    });

    it("reports for each text whether it was truncated", async () => {
      const embedded = await open().embed(["short", "word ".repeat(13_000)], new AbortController().signal);
      expect(embedded.map(({ truncated }) => typeof truncated)).toEqual(["boolean", "boolean"]);
      expect(embedded[0]?.truncated).toBe(false);
    });

    it("keeps the order of the texts in a batch", async () => {
      const texts = TRIPLES.flat();
      const together = await vectorsOf(texts);
      const backwards = (await vectorsOf(texts.toReversed())).toReversed();
      for (const [index, text] of texts.entries()) {
        const [alone] = await vectorsOf([text]);
        expect(similarity(together[index], alone)).toBeCloseTo(1, 4);
        expect(similarity(together[index], backwards[index])).toBeCloseTo(1, 4);
      }
    });

    it("gives the same text the same vector: in one call, in the next, and from another instance", async () => {
      const text = "The cat is sleeping on the sofa";
      const embedder = open();
      const [first, other, second] = await vectorsOf([text, "something else", text], embedder);
      const [later] = await vectorsOf([text], embedder);
      const [elsewhere] = await vectorsOf([text]);
      for (const vector of [second, later, elsewhere]) expect(similarity(first, vector)).toBeCloseTo(1, 4);
      expect(similarity(first, other)).toBeLessThan(0.99);
    });

    it.each(TRIPLES)("puts %j nearer to %j than to %j", async (text, near, unrelated) => {
      const [a, b, c] = await vectorsOf([text, near, unrelated]);
      expect(similarity(a, b)).toBeGreaterThan(similarity(a, c) + 0.1);
    });

    it("rejects with the reason of a signal that has aborted", async () => {
      const reason = new Error("not wanted any more");
      await expect(open().embed(["a text"], AbortSignal.abort(reason))).rejects.toBe(reason);
    });

    it("answers, or rejects with the reason, when the signal aborts while it works", async () => {
      const reason = new Error("not wanted any more");
      const controller = new AbortController();
      const embedding = open().embed(["a text"], controller.signal);
      controller.abort(reason);
      const [settled] = await Promise.allSettled([embedding]);
      expect(settled.status === "fulfilled" ? settled.value.length : settled.reason).toBe(
        settled.status === "fulfilled" ? 1 : reason,
      );
    });
  });
}

function similarity(a: Float32Array | undefined, b: Float32Array | undefined): number {
  return a === undefined || b === undefined ? Number.NaN : dot(a, b);
}
