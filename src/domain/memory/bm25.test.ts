import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { countTerms } from "../../../test/support/reference/count-terms.ts";
import { bm25, type CorpusStatistics, holdsOneOf } from "./bm25.ts";

const corpus = fc.record({
  documentCount: fc.integer({ min: 0, max: 1_000_000 }),
  meanLength: fc.integer({ min: 0, max: 8000 }).map((eighths) => eighths / 8),
  documentFrequencies: fc
    .dictionary(fc.constantFrom("a", "b", "c"), fc.integer({ min: 0, max: 1_000_000 }))
    .map((counts) => new Map(Object.entries(counts))),
});
const letter = fc.constantFrom("a", "b", "c", "d");
const words = fc.array(letter, { maxLength: 30 });
const query = fc.uniqueArray(letter);

const CORPUS: CorpusStatistics = {
  documentCount: 100,
  meanLength: 10,
  documentFrequencies: new Map([
    ["common", 60],
    ["rare", 2],
  ]),
};
/** The score of a document of these words, and others up to its length. */
const scored = (
  terms: readonly string[],
  frequencies: Record<string, number>,
  { length = 10, statistics = CORPUS }: { length?: number; statistics?: CorpusStatistics } = {},
): number => bm25(terms, statistics)({ counts: terms.map((term) => frequencies[term] ?? 0), length });

describe("bm25", () => {
  it("is the published formula, with k1 1.2 and b 0.75", () => {
    const expected = (Math.log(1 + 98.5 / 2.5) * 3 * 2.2) / (3 + 1.2 * (0.25 + 0.75 * 2));
    expect(scored(["rare"], { rare: 3 }, { length: 20 })).toBeCloseTo(expected, 12);
  });

  it("is finite and not negative, with any counters", () => {
    fc.assert(
      fc.property(query, words, corpus, (terms, document, statistics) => {
        const score = bm25(terms, statistics)(countTerms(terms)(document));
        return Number.isFinite(score) && score >= 0;
      }),
      { seed: 1, numRuns: 500 },
    );
  });

  it("is above 0 exactly when the document contains a query term", () => {
    fc.assert(
      fc.property(query, words, corpus, (terms, document, statistics) => {
        const shared = terms.some((term) => document.includes(term));
        return bm25(terms, statistics)(countTerms(terms)(document)) > 0 === shared;
      }),
      { seed: 1, numRuns: 500 },
    );
  });

  it("rises with the frequency of a term", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 500 }), corpus, (frequency, statistics) => {
        const score = (times: number): number => scored(["a"], { a: times }, { length: 1000, statistics });
        return score(frequency + 1) > score(frequency);
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  it("falls with the length of the document", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1000 }), fc.integer({ min: 1, max: 1000 }), (length, more) => {
        const score = (total: number): number => scored(["rare"], { rare: 1 }, { length: total });
        return score(length + more) < score(length);
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  it("never falls when the document contains one more term of the query", () => {
    const both = ["rare", "common"];
    expect(scored(both, { rare: 1, common: 1 })).toBeGreaterThan(scored(both, { rare: 1 }));
  });

  it("counts a rare term for more than a common one", () => {
    expect(scored(["rare"], { rare: 1 })).toBeGreaterThan(scored(["common"], { common: 1 }));
  });

  it("counts a repeated query term once", () => {
    const score = (terms: readonly string[]): number => bm25(terms, CORPUS)(countTerms(terms)(["rare"]));
    expect(score(["rare", "rare"])).toBe(score(["rare"]));
  });

  it("does not depend on the frequency of other terms in other documents", () => {
    const more = { ...CORPUS, documentFrequencies: new Map([...CORPUS.documentFrequencies, ["other", 99]]) };
    expect(scored(["rare"], { rare: 1 }, { statistics: more })).toBe(scored(["rare"], { rare: 1 }));
  });

  it("is the sum over the terms of the query", () => {
    const both = { rare: 2, common: 1 };
    const sum = scored(["rare"], both) + scored(["common"], both);
    expect(scored(["rare", "common"], both)).toBeCloseTo(sum, 12);
  });

  it("is defined while the counters lag behind the first document", () => {
    const empty: CorpusStatistics = { documentCount: 0, meanLength: 0, documentFrequencies: new Map() };
    expect(scored(["a"], { a: 1 }, { statistics: empty })).toBeGreaterThan(0);
  });
});

describe("countTerms", () => {
  it("counts each query term in order, and all terms of the document", () => {
    expect(countTerms(["b", "c", "a"])(["a", "b", "a", "d"])).toEqual({ counts: [1, 0, 2], length: 4 });
  });
});

describe("holdsOneOf", () => {
  it("checks only the chosen terms", () => {
    const terms = ["common", "rare", "nowhere"];
    const holds = holdsOneOf(["rare", "nowhere"], terms);
    expect(
      [
        [5, 0, 0],
        [0, 1, 0],
        [0, 0, 0],
        [1, 1, 0],
      ].map((counts) => holds({ counts, length: 9 })),
    ).toEqual([false, true, false, true]);
  });
});
