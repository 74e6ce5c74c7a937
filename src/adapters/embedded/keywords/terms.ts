import type { Row } from "../database/database.ts";

/**
 * How terms are spelled in the full-text table: the namespaceId, an x, the term. The documents of a term are then those of
 * one namespace.
 */

/** The full-text table that is read. */
export const KEYWORDS = "memory_terms";

/** The terms of a document, as one text. */
export function spellTerms(namespaceId: number, terms: readonly string[]): string {
  const prefix = prefixOf(namespaceId);
  return terms.map((term) => prefix + term).join(" ");
}

/** The terms of a spelled document. */
export function termsIn(namespaceId: number, spelled: string): string[] {
  if (spelled === "") return [];
  const { length } = prefixOf(namespaceId);
  return spelled.split(" ").map((term) => term.slice(length));
}

/** Approximate bytes of the terms of a memory in the full-text table, for words of about five letters. */
export function termBytes(row: Row): number {
  return Number(row["term_count"]) * BYTES_A_TERM;
}

const BYTES_A_TERM = 6;

function prefixOf(namespaceId: number): string {
  return `${namespaceId}x`;
}
