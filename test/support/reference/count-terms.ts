import type { DocumentTerms } from "../../../src/domain/memory/bm25.ts";

/** Counts the distinct terms of a query in documents, given as lists of terms with repetitions. */
export function countTerms(terms: readonly string[]): (document: readonly string[]) => DocumentTerms {
  const indexes = new Map(terms.map((term, at) => [term, at]));
  return (document) => {
    const counts = terms.map(() => 0);
    for (const term of document) {
      const at = indexes.get(term);
      if (at !== undefined) counts[at] = (counts[at] ?? 0) + 1;
    }
    return { counts, length: document.length };
  };
}
