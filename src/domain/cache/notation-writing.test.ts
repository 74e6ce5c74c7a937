import { describe, expect, it } from "vitest";
import { differInWriting } from "./guard-notation.ts";
import { readWritten } from "./notation.ts";

const differ = (one: string, other: string): boolean =>
  differInWriting(readWritten(one).writing, readWritten(other).writing);

describe("prompts with the same letters and digits", () => {
  it.each([
    ["an operator", "Solve 3x - 5 = 2", "Solve 3x + 5 = 2"],
    ["a sign", "How cold is -5 degrees?", "How cold is 5 degrees?"],
    ["a superscript", "What is 10\u00b3?", "What is 103?"],
    ["a quoted value", 'Is {"a": 1} valid?', 'Is {"a": "1"} valid?'],
    ["a comma between numbers", "Is 1px, 2px right?", "Is 1px 2px right?"],
    ["a comma between symbols", "Does a, b = b, a work?", "Does a b = b a work?"],
    ["a mark at the end of a job", "What does sleep 5 & do?", "What does sleep 5 do?"],
    ["a mark behind a type", "Does int? x compile?", "Does int x compile?"],
    ["what brackets hold around types", "Is (A -> B) -> C one?", "Is A -> (B -> C) one?"],
    ["what brackets apply", "In Haskell, is it map f (g x)?", "In Haskell, is it map (f g) x?"],
    ["a prime behind a capital", "Is O' on the circle?", "Is O on the circle?"],
    ["what brackets hold", "Is (a OR b) AND c slow?", "Is a OR (b AND c) slow?"],
    ["signs in a citation", 'Is it "Hello, World" or so?', 'Is it "Hello World" or so?'],
  ])("differ by %s", (_, one, other) => {
    expect(differ(one, other)).toBe(true);
    expect(differ(other, one)).toBe(true);
  });

  it.each([
    ["marks at the end", "Where is my order?!", "where is my order"],
    ["commas and brackets", "My card (the new one) was lost.", "My card, the new one, was lost"],
    ["dashes", "My card \u2013 the new one \u2013 was lost", "My card - the new one - was lost"],
    ["quotes", "What does \u201cidempotent\u201d mean?", "What does 'idempotent' mean"],
    ["hyphens and apostrophes", "What's a well-known e-mail?", "whats a well known email"],
    ["spaces", "Is 2+2 four?", "Is 2 + 2 four?"],
    ["abbreviations", "Is it 5 p.m. in the U.S.?", "Is it 5 pm in the US?"],
    ["emphasis", "Who wrote **Hamlet**?", "Who wrote _Hamlet_?"],
    ["list signs and emoji", "- Where is my order? \u{1F642}", "Where is my order"],
    [
      "marks of other scripts",
      "\u6211\u7684\u5361\uff0c\u5728\u54ea\u91cc\uff1f",
      "\u6211\u7684\u5361\u5728\u54ea\u91cc",
    ],
    ["marks around a question", "\u00bfD\u00f3nde est\u00e1 mi tarjeta?", "D\u00f3nde est\u00e1 mi tarjeta"],
    ["groups of digits", "Is 1,000 enough?", "Is 1000 enough?"],
  ])("are equal except for %s", (_, one, other) => {
    expect(differ(one, other)).toBe(false);
  });

  it("exclude prompts that differ in letters, which the word comparison decides", () => {
    expect(differ("Is it red!", "Is it blue?")).toBe(false);
  });
});
