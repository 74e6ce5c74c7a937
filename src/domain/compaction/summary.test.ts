import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ENGLISH } from "../../../test/support/english.ts";
import { factsOf, sentencesOf } from "./facts.ts";
import { extractSummary, requiredFacts, type SummarySource } from "./summary.ts";

const countTokens = (text: string): number => text.split(/\s+/u).filter((word) => word !== "").length;

const SENTENCES = [
  "Ana flew to Lisbon on 3 May.",
  "The flight took 3 hours.",
  "It was fine",
  "Nothing else happened!",
  "Ana paid 240 euros for it.",
  "The hotel Miramar was full.",
  "We laughed a lot.",
  "She came back on 9 May 2026.",
  "Der Zug nach Ulm fuhr um 8 Uhr.",
  "Version 2.4.1 was released.",
];

const source: fc.Arbitrary<SummarySource> = fc.record({
  text: fc.array(fc.constantFrom(...SENTENCES), { minLength: 1, maxLength: 4 }).map((some) => some.join(" ")),
  author: fc.constantFrom("", "Ben", "Cleo"),
});
const sources = fc.array(source, { minLength: 1, maxLength: 6 });

describe("extractSummary", () => {
  it("has every fact that the sources agree on, within its length, in sentences of the sources", () => {
    fc.assert(
      fc.property(
        sources,
        fc.integer({ min: 1, max: 80 }),
        fc.constantFrom(1, 2),
        (all, maxTokens, agreement) => {
          const summary = extractSummary(all, { maxTokens, agreement }, countTokens, ENGLISH);
          if (summary === undefined) return;
          expect(countTokens(summary)).toBeLessThanOrEqual(maxTokens);
          const facts = factsOf(summary, ENGLISH);
          for (const fact of requiredFacts(all, agreement, ENGLISH)) expect(facts).toContain(fact);
          expect(extractSummary(all, { maxTokens, agreement }, countTokens, ENGLISH)).toBe(summary);
        },
      ),
    );
  });

  it("is whole sentences, each once, however long it may be", () => {
    fc.assert(
      fc.property(sources, (all) => {
        const summary = extractSummary(all, { maxTokens: 10_000, agreement: 1 }, countTokens, ENGLISH) ?? "";
        expect(summary).not.toBe("");
        const found = sentencesOf(summary);
        expect(new Set(found).size).toBe(found.length);
        for (const sentence of found) {
          expect(all.some(({ text }) => `${text}.`.includes(sentence.replace(/^(?:Ben|Cleo): /u, "")))).toBe(
            true,
          );
        }
      }),
    );
  });

  it("is none rather than one that lacks a fact", () => {
    const all = [{ text: "Ana paid 240 euros on 3 May.", author: "" }];
    expect(extractSummary(all, { maxTokens: 5, agreement: 1 }, countTokens, ENGLISH)).toBeUndefined();
  });

  it("leaves out what only one source says when two must agree", () => {
    const all = [
      { text: "Ana flew to Lisbon. The hotel cost 80 euros a night and had no lift.", author: "" },
      { text: "In Lisbon Ana rented a car.", author: "" },
    ];
    const summary = extractSummary(all, { maxTokens: 6, agreement: 2 }, countTokens, ENGLISH);
    expect(summary).toBe("Ana flew to Lisbon.");
  });
});

describe("sentencesOf", () => {
  it("ends at a sentence's end, not at points in it", () => {
    expect(sentencesOf("Use v2.4.1. It costs 3.50! Really?\nYes")).toEqual([
      "Use v2.4.1.",
      "It costs 3.50!",
      "Really?",
      "Yes",
    ]);
  });

  it("loses nothing but white space", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(sentencesOf(text).join("").replaceAll(/\s/gu, "")).toBe(text.replaceAll(/\s/gu, ""));
      }),
    );
  });
});
