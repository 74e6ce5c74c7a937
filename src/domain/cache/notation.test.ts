import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ENGLISH } from "../../../test/support/english.ts";
import { type NotationPair, readNotationPairs } from "../../../test/support/notation-pairs.ts";
import { analyzePrompt } from "./analysis.ts";
import { guardPrompts, reasonsAt } from "./guard.ts";
import { compareNotation } from "./guard-notation.ts";
import { DEFAULT_STRICTNESS } from "./guard-strictness.ts";
import { type Notation, readNotation } from "./notation.ts";
import { normalizePrompt } from "./scope.ts";

const DIFFERENT = readNotationPairs("different");
const SAME = readNotationPairs("same");

/** Whether an answer to one prompt serves the other by default, were they alike to the embedding. */
function isServed({ one, other }: NotationPair): boolean {
  if (normalizePrompt(one) === normalizePrompt(other)) return true;
  const verdict = guardPrompts(analyzePrompt(one), analyzePrompt(other), ENGLISH);
  return reasonsAt(verdict, DEFAULT_STRICTNESS).length === 0;
}

const texts = (prompt: string): string[] => readNotation(prompt).map(({ text }) => text);

describe("prompts that differ in notation", () => {
  it("are more than 3,750 pairs, of which at most 20 are served for one another", () => {
    expect(DIFFERENT.length).toBeGreaterThan(3_750);
    const served = DIFFERENT.filter(isServed);
    expect(served.length, JSON.stringify(served, null, 1)).toBeLessThanOrEqual(20);
  });

  it("are all refused, except the mixed pairs", () => {
    expect(DIFFERENT.filter((pair) => pair.kind !== "mixed" && isServed(pair))).toEqual([]);
  });
});

describe("prompts that differ in writing alone", () => {
  it("are served for one another, but for 12 of 604", () => {
    expect(SAME).toHaveLength(604);
    const refused = SAME.filter((pair) => !isServed(pair));
    expect(refused.length, JSON.stringify(refused, null, 1)).toBeLessThanOrEqual(12);
  });

  // The guard may refuse them for their words; what they are written in is no reason.
  it("differ in notation in at most 4 pairs", () => {
    const differ = SAME.filter(
      ({ one, other }) => compareNotation(readNotation(one), readNotation(other)).size > 0,
    );
    expect(differ.length, JSON.stringify(differ, null, 1)).toBeLessThanOrEqual(4);
  });
});

describe("readNotation", () => {
  it.each([
    ["How do I cancel my order, please?!", []],
    ["It's late; isn't it (really)? \"Yes\" - so what...", []],
    ["My e-mail is well-known, e.g. in the U.S.", []],
    ["I **really** need _help_", []],
    ["Can I pay $5.00 at 5:30 p.m. on 2024-03-05?", []],
  ])("finds none in prose: %s", (prompt, expected) => {
    const counting = readNotation(prompt).filter(({ kind }) => kind !== "variant");
    expect(counting.map(({ text }) => text)).toEqual(expected);
  });

  it.each([
    ["What is 5!?", ["5!"]],
    ["Write 3E-5 out", ["3e-5"]],
    ["What is x²?", ["x²"]],
    ["What is f''(x)?", ["f''(x)"]],
    ["Is a < b > c?", ["+b", "a<b b>c"]],
    ["What does :q! do?", [":q!"]],
    ["Call os.Exit, then stop.", ["os.Exit"]],
    ["Is [0, 1) open?", ["[0,1)"]],
    ["What does `a  b` do?", ["a  b"]],
    ["capitalize: hello", ["hello"]],
    ["Is foldl' strict in Haskell?", ["foldl'"]],
    ["In Rust, what is { 5; }?", ["5;", "{ }"]],
    ["When does [ ! -f x ] hold?", ["-f", "[ ! ]"]],
    ["How many Mb is it?", ["Mb"]],
    ["Does echo a\\  b pad?", ["\\  ", "a\\"]],
    ["Explain #define Pi", ["#define", "Pi"]],
    ["Is it O' on the circle?", ["O'"]],
    ["Play rock n' roll for Tom O' Neil", []],
    ["Is $x or `$x a variable?", ["`$", "$x", "$x"]],
    ["Has it the genotype Aa?", ["Aa"]],
    ["What does f do in vim?", ["+f"]],
    ["Which?\nif x:\n    a\nb", ["if x:\n    a"]],
  ])("reads %j", (prompt, expected) => {
    expect(texts(prompt)).toEqual(expected);
  });

  it("keeps white space in quotes next to code", () => {
    expect(texts("What does print('a  b') do?")).toContain("'a  b'");
  });

  it("reads the indentation of the first line when more lines follow", () => {
    expect(texts("    a = 1\n    b = 2")).toEqual(["    a = 1\n    b = 2"]);
    expect(texts("    cancel my order")).toEqual([]);
  });

  it("finds nothing between back-ticks around white space", () => {
    expect(readNotation("What is `\n` here?")).toEqual([]);
  });

  it("accepts any text, and is deterministic", () => {
    const marks = fc.string({
      unit: fc.constantFrom(..."\"'`*_()[]{}<>!?.,;:-+=/\\|&$#@%^~ \n\tab1AB\u00b2\u2082\u00bd\ue000\ud800"),
      maxLength: 80,
    });
    fc.assert(
      fc.property(fc.oneof(marks, fc.string({ unit: "binary" })), (text) => {
        const notation = readNotation(text);
        expect(readNotation(text)).toEqual(notation);
        expect(notation.every((piece) => piece.text !== "")).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("compareNotation", () => {
  it("counts repeated pieces", () => {
    const piece = { kind: "code", text: "x²" } as const;
    expect([...compareNotation([piece, piece], [piece])]).toEqual(["CODE"]);
    expect([...compareNotation([piece], [piece])]).toEqual([]);
  });

  it("returns the reason of each kind", () => {
    expect([...compareNotation([{ kind: "number", text: "3e-5" }], [])]).toEqual(["NUMBER"]);
    expect([...compareNotation([], [{ kind: "unit", text: "mW" }])]).toEqual(["UNIT"]);
  });

  const variant = (text: string): Notation => ({ kind: "variant", text });
  const mood = (text: string): Notation => ({ kind: "mood", text });

  it("compares a variant only with another spelling of the same letters", () => {
    expect([...compareNotation([variant("GitHub")], [variant("GITHub")])]).toEqual(["CODE"]);
    expect([...compareNotation([variant("GitHub")], [variant("PayPal")])]).toEqual([]);
    expect([...compareNotation([variant("GitHub")], [])]).toEqual([]);
  });

  it("holds texts against the same letters with other spaces", () => {
    expect([...compareNotation([variant("set up")], [variant("setup")])]).toEqual(["CODE"]);
  });

  it("holds a mood against another mood only", () => {
    expect([...compareNotation([mood(":)")], [mood(":(")])]).toEqual(["CODE"]);
    expect([...compareNotation([mood(":)")], [])]).toEqual([]);
  });
});
