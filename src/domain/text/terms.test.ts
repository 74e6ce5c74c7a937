import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { STOP_WORDS } from "./stop-words.ts";
import { termsOf, wordsOf } from "./terms.ts";

/** Any code unit, lone surrogates included. */
const anyCharacter = fc.nat({ max: 0x10ffff }).map((code) => String.fromCodePoint(code));

describe("wordsOf", () => {
  it.each<[string, string, string[]]>([
    ["lower-cases", "Hello WORLD", ["hello", "world"]],
    ["splits at punctuation", "a-b_c/d.e", ["a", "b", "c", "d", "e"]],
    ["keeps order and repetitions", "b a b", ["b", "a", "b"]],
    ["removes a possessive 's", "Ann's and Bob’s dog", ["ann", "and", "bob", "dog"]],
    ["keeps an s that begins a word", "it'sunny 'six", ["it", "sunny", "six"]],
    ["folds compatibility forms", "ﬁsh Ｆｕｌｌ ①", ["fish", "full", "1"]],
    ["composes accents", "cafe\u0301", ["café"]],
    ["keeps numbers and letters together", "b2b 3.14", ["b2b", "3", "14"]],
    ["keeps marks inside words", "हिन्दी", ["हिन्दी"]],
    ["cuts Chinese into overlapping pairs", "北京大学", ["北京", "京大", "大学"]],
    ["cuts Japanese into overlapping pairs", "ねこです", ["ねこ", "こで", "です"]],
    ["keeps a Chinese character that stands alone", "我 是", ["我", "是"]],
    ["pairs characters outside the basic plane whole", "𠀀𠀁𠀂", ["𠀀𠀁", "𠀁𠀂"]],
    ["finds nothing in punctuation", "?! … 👍", []],
    ["finds nothing in nothing", "", []],
  ])("%s", (_, text, words) => {
    expect(wordsOf(text)).toEqual(words);
  });

  it("gives the same words for ASCII as the general rules", () => {
    const ascii = fc.nat({ max: 0x7f }).map((code) => String.fromCharCode(code));
    const text = fc.string({ unit: fc.oneof(ascii, fc.constantFrom("'s", "a", "B", " ")), maxLength: 150 });
    fc.assert(
      fc.property(text, (one) => {
        expect(wordsOf(one)).toEqual(wordsOf(`${one} é`).slice(0, -1));
      }),
      { seed: 1, numRuns: 1000 },
    );
  });
});

describe("termsOf", () => {
  it.each<[string, string, string[]]>([
    ["leaves out stop words", "the cat and the dog", ["cat", "dog"]],
    ["keeps a text of stop words alone", "The Who", ["the", "who"]],
    ["removes English suffixes", "running dogs", ["run", "dog"]],
    ["stems ASCII words alone", "naïvely 北京", ["naïvely", "北京"]],
  ])("%s", (_, text, terms) => {
    expect(termsOf(text)).toEqual(terms);
  });

  it.each([
    ["a possessive", "Ann's bicycle", "Ann bicycle"],
    ["a plural", "bicycles", "bicycle"],
    ["case", "BICYCLE", "bicycle"],
    ["stop words around it", "where is the bicycle", "bicycle"],
    ["a typographic apostrophe", "Ann’s", "Ann's"],
  ])("finds the same in spite of %s", (_, one, other) => {
    expect(termsOf(one)).toEqual(termsOf(other));
  });

  it("gives at least one term for a text with words", () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...STOP_WORDS, "Ann", "東京", "naïve"), { minLength: 1 }),
        (words) => {
          expect(termsOf(words.join(" ")).length).toBeGreaterThan(0);
        },
      ),
      { seed: 1, numRuns: 200 },
    );
  });

  it("gives terms of letters, numbers and marks, at most 64 units long, whatever the text", () => {
    const text = fc.string({
      unit: fc.constantFrom("a", "É", "𐌰", "語", "\ud800", "\udc00", "'", "’s", " ", "\0", "ﷺ"),
    });
    fc.assert(
      fc.property(fc.oneof(text, fc.string({ unit: anyCharacter, maxLength: 300 })), (odd) => {
        for (const term of termsOf(odd)) {
          expect(term).toMatch(/^[\p{L}\p{N}\p{M}]+$/u);
          expect(term.length).toBeLessThanOrEqual(64);
        }
      }),
      { seed: 1, numRuns: 500 },
    );
  });

  it("cuts long words without splitting a character", () => {
    const gothic = `a${"𐌰".repeat(40)}`;
    expect(wordsOf("x".repeat(1000))).toEqual(["x".repeat(64)]);
    expect(wordsOf(gothic)).toEqual([`a${"𐌰".repeat(31)}`]);
  });

  it("accepts lone surrogates", () => {
    expect(termsOf("\ud800 cat \udfff")).toEqual(["cat"]);
    expect(termsOf("\ud800")).toEqual([]);
  });
});

describe("a text that mixes scripts", () => {
  it("keeps the words of a spaced script whole between characters of an unspaced one", () => {
    expect(wordsOf("用Python写代码")).toEqual(["用", "python", "写代", "代码"]);
  });
});
