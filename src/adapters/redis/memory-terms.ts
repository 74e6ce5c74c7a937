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

/** Counts in documents, as such texts, what keyword search asks of them: for the terms of one query. */
export function termCounter(terms: readonly string[]): (encoded: string) => DocumentTerms {
  const byToken = new Map(terms.map((term) => [encodeTerm(term), term]));
  return (encoded) => {
    const tokens = encoded === "" ? [] : encoded.split(" ");
    const frequencies = new Map<string, number>();
    for (const token of tokens) {
      const term = byToken.get(token);
      if (term !== undefined) frequencies.set(term, (frequencies.get(term) ?? 0) + 1);
    }
    return { frequencies, length: tokens.length };
  };
}
