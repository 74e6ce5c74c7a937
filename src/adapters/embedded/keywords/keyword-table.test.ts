import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { countTerms } from "../../../../test/support/reference/count-terms.ts";
import { bm25, type CorpusStatistics } from "../../../domain/memory/bm25.ts";
import type { RankingFields } from "../../../ports/memory/search.ts";
import type { Slot } from "../database/slot.ts";
import { Accumulators } from "./best-documents.ts";
import { KeywordTable } from "./keyword-table.ts";

const NOW = 1000;

interface Stored {
  readonly terms: readonly string[];
  readonly slot: Slot<RankingFields>;
}

/** What the table does, as simple as possible. */
class NaiveTable {
  readonly documents = new Map<number, Stored>();

  corpus(query: readonly string[]): CorpusStatistics {
    const all = [...this.documents.values()];
    const length = all.reduce((sum, { terms }) => sum + terms.length, 0);
    return {
      documentCount: all.length,
      meanLength: all.length === 0 ? 0 : length / all.length,
      documentFrequencies: new Map(
        query.map((term) => [term, all.filter(({ terms }) => terms.includes(term)).length]),
      ),
    };
  }

  best(query: readonly string[], limit: number, isEligible: (row: number, stored: Stored) => boolean) {
    const score = bm25(query, this.corpus(query));
    return [...this.documents]
      .filter(([row, stored]) => isEligible(row, stored))
      .map(([row, { terms, slot }]) => ({ row, fields: slot.fields, document: countTerms(query)(terms) }))
      .filter(({ document }) => document.counts.some((count) => count > 0))
      .sort((a, b) => score(b.document) - score(a.document) || (a.fields.id < b.fields.id ? -1 : 1))
      .slice(0, limit);
  }
}

function slot(row: number, more: Partial<Slot<RankingFields>> = {}): Slot<RankingFields> {
  const fields = { id: `m${row}`, time: row, importance: 0 };
  return { isDefault: true, expireTime: Number.POSITIVE_INFINITY, fields, ...more };
}

/** The first word is in nearly every document, each later one in some two thirds as many as the one before. */
const WORDS = ["a", "b", "c", "d", "a term of many letters", "e", "f", "ö", "g", "h", "i", "j", "k", "l"];
const word = fc.oneof(
  ...WORDS.map((one, at) => ({ weight: Math.ceil(60 * 0.65 ** at), arbitrary: fc.constant(one) })),
);
const query = fc.uniqueArray(fc.constantFrom(...WORDS, "in no document"), { maxLength: 6 });
const visibility = fc.record({
  isDefault: fc.boolean(),
  expireTime: fc.constantFrom(NOW, NOW + 1, Number.POSITIVE_INFINITY),
});
const row = fc.nat({ max: 80 });
const change = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("put"),
      row,
      terms: fc.array(word, { maxLength: 12 }),
      visibility,
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("remove"), row }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("change"), row, visibility }) },
);
const search = fc.record({
  kind: fc.constant("search"),
  query,
  limit: fc.integer({ min: 1, max: 8 }),
  rows: fc.uniqueArray(row, { maxLength: 60, size: "max" }),
});

describe("KeywordTable", () => {
  it("finds the best by BM25, as a comparison of all documents does, after any changes", () => {
    let leftOut = 0;
    const operations = fc.array(fc.oneof({ weight: 6, arbitrary: change }, search), {
      minLength: 80,
      maxLength: 250,
      size: "max",
    });
    fc.assert(
      fc.property(operations, fc.constantFrom(0, 0, 20, 1000), (all, searchedBelow) => {
        const table = new KeywordTable(new Accumulators(), searchedBelow);
        const naive = new NaiveTable();
        for (const one of all) {
          if ("terms" in one) {
            const stored = { terms: one.terms, slot: slot(one.row, one.visibility) };
            table.put(one.row, stored.terms, stored.slot);
            naive.documents.set(one.row, stored);
          } else if ("visibility" in one) {
            const changed = slot(one.row, one.visibility);
            const before = naive.documents.get(one.row);
            table.change(one.row, changed);
            if (before !== undefined) naive.documents.set(one.row, { ...before, slot: changed });
          } else if ("limit" in one) {
            const { query: terms, limit, rows } = one;
            const corpus = table.corpus(terms);
            expect(corpus).toEqual(naive.corpus(terms));
            const visible = table.bestDefault(terms, corpus, { limit, now: NOW });
            expect(visible.found).toEqual(
              naive.best(terms, limit, (_, { slot: own }) => own.isDefault && own.expireTime > NOW),
            );
            const given = table.best(terms, corpus, { limit, rows });
            expect(given.found).toEqual(naive.best(terms, limit, (at) => rows.includes(at)));
            expect(table.best(terms, corpus, { limit }).found).toEqual(naive.best(terms, limit, () => true));
            const occurring = terms.filter((term) => (corpus.documentFrequencies.get(term) ?? 0) > 0);
            expect(occurring).toEqual(expect.arrayContaining([...visible.retrieving]));
            if (visible.retrieving.length < occurring.length) leftOut += 1;
          } else {
            table.remove(one.row);
            naive.documents.delete(one.row);
          }
        }
        expect(table.size).toBe(naive.documents.size);
      }),
      { seed: 1, numRuns: 60 },
    );
    // Otherwise it would not be shown that leaving terms out loses nothing.
    expect(leftOut).toBeGreaterThan(40);
  });

  it("leaves out a common word that can lift no document among the best", () => {
    const table = new KeywordTable(new Accumulators(), 10);
    for (let at = 0; at < 50; at += 1) table.put(at, ["common"], slot(at));
    for (let at = 50; at < 53; at += 1) table.put(at, ["common", "rare"], slot(at));
    const terms = ["common", "rare", "nowhere"];
    const corpus = table.corpus(terms);
    const found = (limit: number) => table.bestDefault(terms, corpus, { limit, now: NOW });
    expect(found(3).retrieving).toEqual(["rare"]);
    expect(found(3).found.map(({ document }) => document.counts)).toEqual([
      [1, 1, 0],
      [1, 1, 0],
      [1, 1, 0],
    ]);
    // Three documents contain the rare word: the fourth is one of the others.
    expect(found(4).retrieving).toEqual(["rare", "common"]);
    expect(found(4).found.map(({ row: one }) => one)).toEqual([50, 51, 52, 0]);
  });

  it("gives back the room of removed documents", () => {
    const table = new KeywordTable(new Accumulators());
    const fill = () => {
      for (let at = 0; at < 500; at += 1) table.put(at, [`word${at}`, "all", `${at % 7}`], slot(at));
    };
    fill();
    const { memoryBytes } = table;
    for (let round = 0; round < 5; round += 1) {
      for (let at = 0; at < 500; at += 1) table.remove(at);
      expect(table.corpus(["all", "word7"])).toEqual({
        documentCount: 0,
        meanLength: 0,
        documentFrequencies: new Map([
          ["all", 0],
          ["word7", 0],
        ]),
      });
      fill();
    }
    expect(table.memoryBytes).toBe(memoryBytes);
    expect(table.corpus(["all"]).documentFrequencies.get("all")).toBe(500);
  });
});
