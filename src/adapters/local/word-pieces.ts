import { BEGINNING, CONTINUATION, NONE, type PieceTrie } from "./piece-trie.ts";

/** A longer word is none that a vocabulary knows: BERT's tokenizer does not look. */
const MAX_WORD_LENGTH = 100;

/** Nothing but ASCII without the control characters that are left out: most texts, and read by simpler rules. */
const PLAIN = /^[\t\n\r -~]*$/;
const PLAIN_WORDS = /[a-z0-9]+|[!-/:-@[-`{-~]/g;

const LEFT_OUT = /[^\P{C}\t\n\r]|\uFFFD|\p{Mn}/gu;
const IDEOGRAPHS =
  "\\u{3400}-\\u{4dbf}\\u{4e00}-\\u{9fff}\\u{f900}-\\u{faff}\\u{20000}-\\u{2a6df}\\u{2a700}-\\u{2ceaf}\\u{2f800}-\\u{2fa1f}";
/** What BERT takes for punctuation: Unicode's, and every sign of ASCII. */
const SIGNS = "\\p{P}$+<=>^`|~";
const WORDS = new RegExp(`[${IDEOGRAPHS}]+|[${SIGNS}]|[^\\s${SIGNS}${IDEOGRAPHS}]+`, "gu");
const IDEOGRAPH = new RegExp(`^[${IDEOGRAPHS}]`, "u");

/**
 * The words of a text as BERT's uncased tokenizer takes them (Devlin et al., 2018): lower-cased, accents and control
 * characters left out, each punctuation mark by itself. Unlike there, ideographs that stand together come as one.
 */
export function wordsOf(text: string): string[] {
  if (PLAIN.test(text)) return text.toLowerCase().match(PLAIN_WORDS) ?? [];
  return text.normalize("NFD").replace(LEFT_OUT, "").toLowerCase().match(WORDS) ?? [];
}

/**
 * Puts the rows of a word's pieces into `rows`: the longest piece that it begins with, then the longest that goes on
 * from there, and so on (WordPiece); of ideographs those that are known, each by itself. Returns their number; 0: the
 * vocabulary lacks the word, or a part of it.
 */
export function piecesOf(word: string, pieces: PieceTrie, rows: number[]): number {
  if (isIdeograph(word)) return ideographs(word, pieces, rows);
  if (word.length > MAX_WORD_LENGTH) return 0;
  let count = 0;
  for (let start = 0; start < word.length; count += 1) {
    let node: number = start === 0 ? BEGINNING : CONTINUATION;
    let row = -1;
    let end = start;
    for (let index = start; index < word.length; index += 1) {
      node = pieces.next(node, word.charCodeAt(index));
      if (node === NONE) break;
      if (pieces.row(node) === -1) continue;
      row = pieces.row(node);
      end = index + 1;
    }
    if (row === -1) return 0;
    rows[count] = row;
    start = end;
  }
  return count;
}

function ideographs(word: string, pieces: PieceTrie, rows: number[]): number {
  let count = 0;
  for (const character of word) {
    let node: number = BEGINNING;
    for (let index = 0; index < character.length && node !== NONE; index += 1) {
      node = pieces.next(node, character.charCodeAt(index));
    }
    const row = node === NONE ? -1 : pieces.row(node);
    if (row === -1) continue;
    rows[count] = row;
    count += 1;
  }
  return count;
}

/** Whether a word of `wordsOf` is one of ideographs. */
export function isIdeograph(word: string): boolean {
  return word.charCodeAt(0) > 0x33ff && IDEOGRAPH.test(word);
}
