import { hash } from "node:crypto";
import type { DocumentTerms } from "../../../domain/memory/bm25.ts";

const PLAIN = /^[a-z0-9]+$/;

/** Redis finds no token of more than some hundred bytes; in hexadecimal a term takes twice its own. */
const MAX_BYTES = 40;
const DIGITS = 20;

/**
 * Terms as the index holds them. RediSearch cuts a text at signs and folds its letters by rules of its own, so what is
 * not plain is spelled in hexadecimal behind `_`, and what is long by a digest behind `__`: two terms are never the same
 * token, and no tokenizer takes one apart. Document frequencies go by the same spelling.
 */
export function encodeTerm(term: string): string {
  if (Buffer.byteLength(term) > MAX_BYTES) return `__${hash("sha256", term).slice(0, DIGITS)}`;
  return PLAIN.test(term) ? term : `_${Buffer.from(term).toString("hex")}`;
}

/** The terms of a document, in order, repetitions kept, as one text. */
export function encodeTerms(terms: readonly string[]): string {
  return terms.map(encodeTerm).join(" ");
}

/** Counts in documents, as such texts, what keyword search asks of them: for the distinct terms of one query. */
export function termCounter(terms: readonly string[]): (encoded: string) => DocumentTerms {
  const tokens = terms.map(encodeTerm);
  return (encoded) => ({
    counts: tokens.map((token) => occurrences(encoded, token)),
    length: encoded === "" ? 0 : 1 + occurrencesOf(" ", encoded),
  });
}

/** How often a token stands in a text of tokens. A search reads a hundred texts, so none is taken apart. */
function occurrences(text: string, token: string): number {
  let count = 0;
  for (let at = text.indexOf(token); at !== -1; at = text.indexOf(token, at + token.length)) {
    const end = at + token.length;
    const begins = at === 0 || text[at - 1] === " ";
    if (begins && (end === text.length || text[end] === " ")) count += 1;
  }
  return count;
}

function occurrencesOf(character: string, text: string): number {
  let count = 0;
  for (let at = text.indexOf(character); at !== -1; at = text.indexOf(character, at + 1)) count += 1;
  return count;
}
