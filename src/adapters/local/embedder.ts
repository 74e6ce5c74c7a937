import { LOCAL_MODEL } from "../../domain/embedding/built-in-models.ts";
import { addWord, atUnitLength, ngramsIn } from "../../domain/text/hashed-features.ts";
import { wordsOf as unicodeWordsOf } from "../../domain/text/terms.ts";
import { yieldToEventLoop } from "../../lib/yield-to-event-loop.ts";
import type { EmbeddedText, Embedder } from "../../ports/embedding/embedder.ts";
import { type EmbeddingTable, readEmbeddingTable } from "./model-file.ts";
import { isIdeograph, piecesOf, wordsOf } from "./word-pieces.ts";

const FILE = new URL("./minilm-static.bin", import.meta.url);

/** From so many pieces on, a word is one that the vocabulary has only by its letters. */
const MANY_PIECES = 3;
/** The length of what the n-grams of such a word add, where a row has length 1 on average. */
const HASHED_LENGTH = 1;
/** The word itself counts as this many of its n-grams. */
const WORD_AS_NGRAMS = 2;

/** One to three milliseconds of work. */
const CHARACTERS_BEFORE_YIELD = 8 * 1024;

/**
 * Static embeddings: the vector of a text is the mean of a row for each of its word pieces, from a table that was
 * distilled from all-MiniLM-L6-v2 (docs/embedding.md). It finds meaning, needs nothing but the file beside this one, and
 * the same text gets the same vector on every machine: all sums are of doubles, in the order of the text. A word that the
 * vocabulary lacks adds hashed character n-grams, so that its wording is found. Rejects when the file is damaged.
 */
export async function openLocalEmbedder(): Promise<Embedder> {
  const table = await readEmbeddingTable(FILE);
  return {
    identity: LOCAL_MODEL,
    embed: async (texts, signal) => {
      signal.throwIfAborted();
      const embedded: EmbeddedText[] = [];
      let characters = 0;
      for (const text of texts) {
        const sum = new Float64Array(LOCAL_MODEL.dimension);
        for (const word of wordsOf(text)) {
          addMeaning(sum, word, table);
          characters += word.length;
          if (characters < CHARACTERS_BEFORE_YIELD) continue;
          characters = 0;
          await yieldToEventLoop();
          signal.throwIfAborted();
        }
        embedded.push({ vector: atUnitLength(sum, text), truncated: false });
      }
      return embedded;
    },
  };
}

function addMeaning(sum: Float64Array, word: string, table: EmbeddingTable): void {
  const rows: number[] = [];
  const count = piecesOf(word, table.pieces, rows);
  const isLacking = count === 0 || count >= MANY_PIECES || isIdeograph(word);
  // A word of many pieces is one word all the same.
  const weight = isLacking && !isIdeograph(word) ? 1 / count : 1;
  for (const row of rows.slice(0, count)) addRow(sum, row, weight, table);
  if (isLacking) addWording(sum, word);
}

function addRow(
  sum: Float64Array,
  row: number,
  weight: number,
  { rows, scales, dimension }: EmbeddingTable,
): void {
  const scale = (scales[row] ?? 0) * weight;
  const start = row * dimension;
  for (let index = 0; index < dimension; index += 1) {
    sum[index] = (sum[index] as number) + (rows[start + index] as number) * scale;
  }
}

/** Unspaced scripts come in pairs of characters. */
function addWording(sum: Float64Array, word: string): void {
  const parts = unicodeWordsOf(word);
  for (const part of parts.length === 0 ? [word] : parts) {
    // Features fall on places of their own, more or less: the length of their sum is the root of the sum of their squares.
    const ngram = HASHED_LENGTH / Math.sqrt(ngramsIn(part) + WORD_AS_NGRAMS ** 2);
    addWord(sum, part, ngram * WORD_AS_NGRAMS, ngram);
  }
}
