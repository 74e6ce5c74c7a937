import { hash } from "node:crypto";
import type { DocumentTerms } from "../../domain/memory/bm25.ts";

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

/** What keyword search counts in such a text, of the terms that are asked for. */
export function documentTerms(encoded: string, terms: readonly string[]): DocumentTerms {
  if (encoded === "") return { frequencies: new Map(), length: 0 };
  const counts = new Map(terms.map((term) => [encodeTerm(term), 0]));
  const tokens = encoded.split(" ");
  for (const token of tokens) {
    const count = counts.get(token);
    if (count !== undefined) counts.set(token, count + 1);
  }
  const frequencies = new Map<string, number>();
  for (const term of terms) {
    const count = counts.get(encodeTerm(term)) ?? 0;
    if (count > 0) frequencies.set(term, count);
  }
  return { frequencies, length: tokens.length };
}
