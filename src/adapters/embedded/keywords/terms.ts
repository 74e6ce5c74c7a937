import type { DocumentTerms } from "../../../domain/memory/bm25.ts";
import { tokenCounter } from "../../../domain/text/token-counter.ts";
import type { Row } from "../database/database.ts";

/**
 * How terms are spelled in the full-text table: the namespaceId, an x, the term. Documents of other namespaces then
 * share no term with a query, and neither slow it down nor count in its statistics.
 */

/** The full-text table that is searched. */
export const KEYWORDS = "memory_terms";

/** The terms of a document, as one text. */
export function spellTerms(namespaceId: number, terms: readonly string[]): string {
  return terms.map((term) => spell(namespaceId, term)).join(" ");
}

/** Counts the distinct terms of a query in spelled documents. */
export function termCounter(
  namespaceId: number,
  terms: readonly string[],
): (spelled: string) => DocumentTerms {
  return tokenCounter(terms.map((term) => spell(namespaceId, term)));
}

/** Approximate bytes of the terms of a memory in the full-text table, for words of about five letters. */
export function termBytes(row: Row): number {
  return Number(row["term_count"]) * BYTES_A_TERM;
}

const BYTES_A_TERM = 6;

/** An FTS5 query: documents of this namespace that contain any of the terms. */
export function matchAny(namespaceId: number, terms: readonly string[]): string {
  // Terms hold letters, digits and marks; quoting makes sure that none is ever read as syntax.
  return terms.map((term) => `"${spell(namespaceId, term).replaceAll('"', '""')}"`).join(" OR ");
}

export function spell(namespaceId: number, term: string): string {
  return `${namespaceId}x${term}`;
}
