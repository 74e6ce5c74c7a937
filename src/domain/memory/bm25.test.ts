import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bm25, type CorpusStatistics, countTerms } from "./bm25.ts";

const corpus = fc.record({
  documentCount: fc.integer({ min: 0, max: 1_000_000 }),
  meanLength: fc.integer({ min: 0, max: 8000 }).map((eighths) => eighths / 8),
  documentFrequencies: fc
    .dictionary(fc.constantFrom("a", "b", "c"), fc.integer({ min: 0, max: 1_000_000 }))
    .map((counts) => new Map(Object.entries(counts))),
});
const terms = fc.array(fc.constantFrom("a", "b", "c", "d"), { maxLength: 30 });

const CORPUS: CorpusStatistics = {
  documentCount: 100,
  meanLength: 10,
  documentFrequencies: new Map([
    ["common", 60],
    ["rare", 2],
  ]),
};
const document = (frequencies: Record<string, number>, length = 10) => ({
  frequencies: new Map(Object.entries(frequencies)),
  length,
});

describe("bm25", () => {
  it("is the formula of the book, with k1 1.2 and b 0.75", () => {
    const expected = (Math.log(1 + 98.5 / 2.5) * 3 * 2.2) / (3 + 1.2 * (0.25 + 0.75 * 2));
    expect(bm25(["rare"], document({ rare: 3 }, 20), CORPUS)).toBeCloseTo(expected, 12);
  });

  it("is a finite number that is never negative, whatever the counters say", () => {
    fc.assert(
      fc.property(terms, terms, corpus, (query, words, statistics) => {
        const score = bm25(query, countTerms(words), statistics);
        return Number.isFinite(score) && score >= 0;
      }),
      { seed: 1, numRuns: 500 },
    );
  });

  it("is above 0 exactly when a term of the query stands in the document", () => {
    fc.assert(
      fc.property(terms, terms, corpus, (query, words, statistics) => {
        const shared = query.some((term) => words.includes(term));
        return bm25(query, countTerms(words), statistics) > 0 === shared;
      }),
      { seed: 1, numRuns: 500 },
    );
  });

  it("rises with how often a term stands in the document", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 500 }), corpus, (frequency, statistics) => {
        const score = (times: number): number => bm25(["a"], document({ a: times }, 1000), statistics);
        return score(frequency + 1) > score(frequency);
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  it("falls with the length of the document", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1000 }), fc.integer({ min: 1, max: 1000 }), (length, more) => {
        const score = (total: number): number => bm25(["rare"], document({ rare: 1 }, total), CORPUS);
        return score(length + more) < score(length);
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  it("never falls when the document contains one more term of the query", () => {
    expect(bm25(["rare", "common"], document({ rare: 1, common: 1 }), CORPUS)).toBeGreaterThan(
      bm25(["rare", "common"], document({ rare: 1 }), CORPUS),
    );
  });

  it("counts a rare term for more than a common one", () => {
    expect(bm25(["rare"], document({ rare: 1 }), CORPUS)).toBeGreaterThan(
      bm25(["common"], document({ common: 1 }), CORPUS),
    );
  });

  it("counts a term once, however often the query says it", () => {
    expect(bm25(["rare", "rare"], document({ rare: 1 }), CORPUS)).toBe(
      bm25(["rare"], document({ rare: 1 }), CORPUS),
    );
  });

  it("does not depend on how often other terms stand elsewhere", () => {
    const more = { ...CORPUS, documentFrequencies: new Map([...CORPUS.documentFrequencies, ["other", 99]]) };
    expect(bm25(["rare"], document({ rare: 1, other: 5 }), more)).toBe(
      bm25(["rare"], document({ rare: 1 }), CORPUS),
    );
  });

  it("is the sum over the terms of the query", () => {
    const both = document({ rare: 2, common: 1 });
    const sum = bm25(["rare"], both, CORPUS) + bm25(["common"], both, CORPUS);
    expect(bm25(["rare", "common"], both, CORPUS)).toBeCloseTo(sum, 12);
  });

  it("works while the counters still lag behind the first document", () => {
    const empty: CorpusStatistics = { documentCount: 0, meanLength: 0, documentFrequencies: new Map() };
    expect(bm25(["a"], document({ a: 1 }), empty)).toBeGreaterThan(0);
  });
});

describe("countTerms", () => {
  it("counts each term, and all of them", () => {
    const counted = countTerms(["a", "b", "a"]);
    expect(counted.length).toBe(3);
    expect([...counted.frequencies]).toEqual([
      ["a", 2],
      ["b", 1],
    ]);
  });
});
