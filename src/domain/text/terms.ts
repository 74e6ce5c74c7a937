import { stemmer } from "stemmer";
import { STOP_WORDS } from "./stop-words.ts";

/**
 * A run of a script that is written without spaces between words (cut into overlapping pairs of characters), or a
 * run of any other letters, numbers and marks.
 */
const UNSPACED_SCRIPTS =
  "\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}\\p{Script=Thai}\\p{Script=Lao}\\p{Script=Khmer}\\p{Script=Myanmar}";
const RUN = new RegExp(
  `(?<unspaced>[${UNSPACED_SCRIPTS}][${UNSPACED_SCRIPTS}\\p{M}]*)|(?:(?![${UNSPACED_SCRIPTS}])[\\p{L}\\p{N}\\p{M}])+`,
  "gu",
);
const ASCII_LETTERS = /^[a-z]+$/;
/** ASCII only, as most prompts are: the rules for these cost a third of the general ones. */
const ASCII = /^[\0-\x7f]*$/;

/** No term is longer: longer ones are noise (hashes, encoded data) and would only swell the index. */
const MAX_TERM_LENGTH = 64;

/**
 * The words of a text: Unicode normalised (NFKC), lower-cased, possessive 's removed, split at everything that is not a
 * letter, number or mark. Order and repetitions stay.
 */
export function wordsOf(text: string): string[] {
  return ASCII.test(text) ? asciiWordsOf(text) : anyWordsOf(text);
}

function asciiWordsOf(text: string): string[] {
  const words =
    text
      .toLowerCase()
      .replaceAll(/'s(?![a-z0-9])/g, "")
      .match(/[a-z0-9]+/g) ?? [];
  return words.map((word) => (word.length > MAX_TERM_LENGTH ? word.slice(0, MAX_TERM_LENGTH) : word));
}

function anyWordsOf(text: string): string[] {
  const normalised = text
    .normalize("NFKC")
    .toLowerCase()
    .replaceAll(/['’]s(?![\p{L}\p{N}])/gu, "");
  const words: string[] = [];
  for (const { 0: word, groups } of normalised.matchAll(RUN)) {
    if (groups?.["unspaced"] === undefined) {
      // A cut through a surrogate pair would leave half a character, which no store returns unchanged.
      words.push(word.slice(0, MAX_TERM_LENGTH).replace(/[\uD800-\uDBFF]$/, ""));
      continue;
    }
    const characters = [...word];
    if (characters.length === 1) words.push(word);
    for (let index = 0; index + 1 < characters.length; index += 1) {
      words.push(`${characters[index]}${characters[index + 1]}`);
    }
  }
  return words;
}

/**
 * The terms of a text for keyword search: its words without stop words, English suffixes removed (Porter's
 * stemmer, by the `stemmer` package). A text of stop words alone keeps them, so that "The Who" can be found.
 */
export function termsOf(text: string): string[] {
  const words = wordsOf(text);
  const contentWords = words.filter((word) => !STOP_WORDS.has(word));
  return (contentWords.length > 0 ? contentWords : words).map((word) =>
    ASCII_LETTERS.test(word) ? stemmer(word) : word,
  );
}
