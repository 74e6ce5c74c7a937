import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ENGLISH } from "../../../test/support/english.ts";
import { EMPTY_LEXICON } from "./lexicon.ts";

describe("the English lexicon", () => {
  it.each([
    ["terminate", "end", "synonym"],
    ["firms", "firm", "synonym"],
    ["quickest", "fastest", "synonym"],
    ["tall", "height", "derivation"],
    ["pay", "payment", "derivation"],
    ["stored", "keeping", "hypernym"],
    ["raise", "lower", "antonym"],
    ["correct", "wrong", "antonym"],
    ["tomatoes", "potatoes", "sibling"],
    ["approve", "reject", "antonym"],
    ["coffee", "neck", undefined],
    ["qwzx", "end", undefined],
  ])("relates %s and %s as %s", (one, other, relation) => {
    expect(ENGLISH.relation(one, other)).toBe(relation);
    expect(ENGLISH.relation(other, one)).toBe(relation);
  });

  it("knows how common words are", () => {
    expect(ENGLISH.level("the")).toBe(0);
    expect(ENGLISH.level("methanol")).toBeGreaterThan(3);
    expect(ENGLISH.level("recieve")).toBeUndefined();
    expect(EMPTY_LEXICON.level("the")).toBeUndefined();
  });

  it.each([
    ["brown", "adjective"],
    ["applies", "verb"],
    ["houses", "noun"],
    ["quickly", "adverb"],
    ["qwzx", undefined],
  ])("knows what %s mostly is", (word, part) => {
    expect(ENGLISH.partOfSpeech(word)).toBe(part);
  });

  it("answers for any text, in either order the same", () => {
    const word = fc.oneof(
      fc.string(),
      fc.constantFrom("end", "__proto__", "constructor", "s", "es", "ing", ""),
    );
    fc.assert(
      fc.property(word, word, (one, other) => {
        expect(ENGLISH.relation(one, other)).toBe(ENGLISH.relation(other, one));
      }),
      { seed: 1, numRuns: 500 },
    );
  });

  it("says how much of their use two words share", () => {
    expect(ENGLISH.overlap("begin", "starts")).toBeGreaterThan(0.4);
    expect(ENGLISH.overlap("work", "study")).toBeLessThan(0.1);
    expect(ENGLISH.overlap("work", "works")).toBe(1);
    expect(ENGLISH.overlap("tea", "coffee")).toBe(0);
    expect(EMPTY_LEXICON.overlap("work", "works")).toBe(0);
  });
});
