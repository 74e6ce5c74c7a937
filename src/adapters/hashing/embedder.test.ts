import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { dot } from "../../domain/embedding/vector.ts";
import { createHashingEmbedder } from "./embedder.ts";

const UNRELATED = [
  "Quarterly revenue grew by nine percent",
  "Deployments run from the main branch",
  "Lisbon is sunny in October",
];
const VARIANTS: readonly (readonly [string, string, string])[] = [
  ["case", "How do I reset my password?", "HOW DO I RESET MY PASSWORD"],
  ["a typo", "How do I reset my password?", "How do I reset my pasword?"],
  ["two letters swapped", "Where is the conference hotel?", "Where is the confernece hotel?"],
  ["an inflection", "The cat sleeps on the sofa", "The cats slept on a sofa"],
  ["a plural", "Ann collects old bicycles", "Ann collected an old bicycle"],
  ["the order of words", "train from Paris to Rome", "from Paris to Rome, train"],
  ["a word more", "allergic to peanuts", "badly allergic to peanuts"],
  ["typography", "Ann's “blue” ﬁle", "Ann’s blue file"],
];

/** Any code unit, lone surrogates included. */
const anyCharacter = fc.nat({ max: 0x10ffff }).map((code) => String.fromCodePoint(code));

async function similarity(one: string, other: string, dimension = 384): Promise<number> {
  const [left, right] = await createHashingEmbedder(dimension).embed(
    [one, other],
    new AbortController().signal,
  );
  if (left === undefined || right === undefined) throw new Error("a vector per text");
  return dot(left.vector, right.vector);
}

describe("the hashing embedder", () => {
  it.each(VARIANTS)("places texts that differ in %s nearer than unrelated ones", async (_, one, other) => {
    const near = await similarity(one, other);
    for (const text of UNRELATED) {
      expect(near).toBeGreaterThan((await similarity(one, text)) + 0.2);
      expect(near).toBeGreaterThan((await similarity(other, text)) + 0.2);
    }
  });

  it.each([
    ["a typo", "accommodation", "acommodation"],
    ["an inflection", "bicycle", "bicycles"],
  ])("holds single words that differ in %s nearer than unrelated ones", async (_, one, other) => {
    expect(await similarity(one, other)).toBeGreaterThan((await similarity(one, "password")) + 0.2);
  });

  it("gives the same words in any order and case the same vector", async () => {
    expect(await similarity("Paris to Rome", "ROME TO PARIS")).toBeCloseTo(1, 5);
  });

  it("gives texts the same vectors as earlier versions, because stored ones are compared with them", async () => {
    const texts = [
      "The quick brown fox's jumps over the lazy dogs, twice twice twice",
      "Prévision météo 東京の天気 ตัวอย่าง",
      "a",
      "…",
    ];
    const hash = createHash("sha256");
    for (const { vector } of await createHashingEmbedder(384).embed(texts, new AbortController().signal)) {
      hash.update(new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength));
    }
    expect(hash.digest("hex")).toBe("2c99a1e8bea21528a02ba1eb108e83f28004f6a75e123f967278e62ca704cf77");
  });

  it("weights a common word less than a content word", async () => {
    const common = await similarity("the sofa", "the cat");
    const telling = await similarity("sofa red", "sofa blue");
    expect(telling).toBeGreaterThan(common);
  });

  it("has a unit vector for any text, in any dimension", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: anyCharacter }),
        fc.constantFrom(1, 2, 7, 384),
        async (text, dimension) => {
          expect(await similarity(text, text, dimension)).toBeCloseTo(1, 4);
        },
      ),
      { seed: 1, numRuns: 200 },
    );
  });

  it("rejects with the signal's reason when that has aborted", async () => {
    const reason = new Error("aborted");
    await expect(createHashingEmbedder(8).embed(["a"], AbortSignal.abort(reason))).rejects.toBe(reason);
  });
});
