/** The words of one document, as keyword search counts them. */
export interface DocumentTerms {
  /** How often each term stands in the document. */
  readonly frequencies: ReadonlyMap<string, number>;
  /** Terms in the document, repetitions included. */
  readonly length: number;
}

/** What is known of all documents that the score is relative to: those of one namespace, in any state. */
export interface CorpusStatistics {
  readonly documentCount: number;
  /** Terms a document, on average. */
  readonly meanLength: number;
  /** In how many documents each term of the query stands. */
  readonly documentFrequencies: ReadonlyMap<string, number>;
}

/** How soon more of the same word stops counting. */
const K1 = 1.2;
/** How much longer documents are discounted. */
const B = 0.75;

/**
 * Okapi BM25 with the IDF that cannot turn negative, ln(1 + (N - n + 0.5) / (n + 0.5)):
 * Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009), section 3.2, in
 * Lucene's form. 0 when no term of the query stands in the document; never negative.
 */
export function bm25(
  queryTerms: Iterable<string>,
  document: DocumentTerms,
  corpus: CorpusStatistics,
): number {
  const lengthRatio = corpus.meanLength > 0 ? document.length / corpus.meanLength : 1;
  let score = 0;
  // A search scores hundreds of documents by the same set.
  for (const term of queryTerms instanceof Set ? (queryTerms as ReadonlySet<string>) : new Set(queryTerms)) {
    const frequency = document.frequencies.get(term) ?? 0;
    if (frequency === 0) continue;
    // Counters may lag behind the document by a write; a document that holds the term is at least one of n.
    const containing = Math.max(1, corpus.documentFrequencies.get(term) ?? 0);
    const documents = Math.max(containing, corpus.documentCount);
    const idf = Math.log(1 + (documents - containing + 0.5) / (containing + 0.5));
    score += (idf * frequency * (K1 + 1)) / (frequency + K1 * (1 - B + B * lengthRatio));
  }
  return score;
}

export function countTerms(terms: readonly string[]): DocumentTerms {
  const frequencies = new Map<string, number>();
  for (const term of terms) frequencies.set(term, (frequencies.get(term) ?? 0) + 1);
  return { frequencies, length: terms.length };
}

/** Documents that the terms chosen for candidates may stand in, together. */
const MAX_POSTINGS = 1000;

/**
 * The terms to ask an engine for: those that stand in a document at all, rarest first, until together they stand
 * in MAX_POSTINGS documents. A common word adds thousands of candidates and next to nothing to a score; it still
 * counts in the score of the candidates that the rarer ones bring.
 */
export function chooseTerms(terms: readonly string[], corpus: CorpusStatistics): string[] {
  const known = terms
    .map((term) => ({ term, documents: corpus.documentFrequencies.get(term) ?? 0 }))
    .filter(({ documents }) => documents > 0)
    .sort((a, b) => a.documents - b.documents);
  const chosen: string[] = [];
  let postings = 0;
  for (const { term, documents } of known) {
    postings += documents;
    if (chosen.length > 0 && postings > MAX_POSTINGS) break;
    chosen.push(term);
  }
  return chosen;
}
