import { hash } from "node:crypto";
import type { DocumentTerms } from "../../../domain/memory/bm25.ts";
import { tokenCounter } from "../../../domain/text/token-counter.ts";

const PLAIN = /^[a-z0-9]+$/;

/** Redis finds no token of more than some hundred bytes; in hexadecimal a term takes twice its own. */
const MAX_BYTES = 40;
const DIGITS = 20;

/**
 * Encodes terms for the index. RediSearch splits a text at punctuation and folds letters by its own rules, so terms that
 * are not plain ASCII are encoded in hexadecimal after `_`, and long ones as a digest after `__`: two terms never share a
 * token, and the tokenizer splits none. Document frequencies use the same encoding.
 */
export function encodeTerm(term: string): string {
  if (Buffer.byteLength(term) > MAX_BYTES) return `__${hash("sha256", term).slice(0, DIGITS)}`;
  return PLAIN.test(term) ? term : `_${Buffer.from(term).toString("hex")}`;
}

/** The terms of a document as one text, in order, with repetitions. */
export function encodeTerms(terms: readonly string[]): string {
  return terms.map(encodeTerm).join(" ");
}

/** Counts the distinct terms of a query in encoded documents. */
export function termCounter(terms: readonly string[]): (encoded: string) => DocumentTerms {
  return tokenCounter(terms.map(encodeTerm));
}
