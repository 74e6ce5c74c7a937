import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readEmbeddingTable } from "./model-file.ts";
import { piecesOf, wordsOf } from "./word-pieces.ts";

const table = await readEmbeddingTable(new URL("./minilm-static.bin", import.meta.url));

/** By scripts/local-model/make.py, which leaves out what no text has. */
const FIRST_PIECE = 999;

/** The numbers of the pieces in BERT's vocabulary. */
function numbersOf(text: string): number[] {
  return wordsOf(text).flatMap((word) => {
    const rows: number[] = [];
    piecesOf(word, table.pieces, rows);
    return rows.map((row) => row + FIRST_PIECE);
  });
}

describe("word pieces", () => {
  // As the tokenizer of all-MiniLM-L6-v2 gives them (tokenizers 0.22, without special tokens).
  it.each([
    ["How do I reset my password?", [2129, 2079, 1045, 25141, 2026, 20786, 1029]],
    ["The automobile would not start...", [1996, 9935, 2052, 2025, 2707, 1012, 1012, 1012]],
    ["Crème brûlée, naïve café", [13675, 21382, 7987, 9307, 2063, 1010, 15743, 7668]],
    [
      "don't e-mail x=y <a@b.com>",
      [2123, 1005, 1056, 1041, 1011, 5653, 1060, 1027, 1061, 1026, 1037, 1030, 1038, 1012, 4012, 1028],
    ],
    ["\tTabs\nand\u00a0spaces\u3000", [21628, 2015, 1998, 7258]],
    ["internationalization tokenizers", [2248, 3989, 19204, 17629, 2015]],
    ["東京 tower 京", [1879, 1755, 3578, 1755]],
    ["кошка", [1189, 14150, 29753, 28598]],
    [
      "हिन्दी 한국어",
      [1339, 29877, 29863, 29861, 29878, 1469, 30006, 30021, 29991, 30014, 30020, 29999, 30008],
    ],
    ["re\u0000mo\u200bved \ufffdcontrol", [3718, 2491]],
    ["$5.00 + 3% ^ ~ `x` |", [1002, 1019, 1012, 4002, 1009, 1017, 1003, 1034, 1066, 1036, 1060, 1036, 1064]],
    ["№5 €20 “q”…", [1578, 2629, 1574, 11387, 1523, 1053, 1524, 1529]],
  ] as const)("of %j are BERT's", (text, numbers) => {
    expect(numbersOf(text)).toEqual(numbers);
  });

  it.each(["🎉", "a".repeat(101), "①②"])("are none of %j, which the vocabulary lacks", (word) => {
    expect(piecesOf(word, table.pieces, [])).toBe(0);
  });

  it("are found for every word of letters and digits, and are no more than those", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z0-9]{1,40}$/), (word) => {
        const count = piecesOf(word, table.pieces, []);
        expect(count).toBeGreaterThan(0);
        expect(count).toBeLessThanOrEqual(word.length);
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  it("are of the same words by the shorter way for ASCII and by the longer", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme-ascii" }), (text) => {
        // A letter that only the longer way reads.
        expect(wordsOf(`${text} ß`)).toEqual([...wordsOf(text), "ß"]);
      }),
      { seed: 1, numRuns: 300 },
    );
  });
});
