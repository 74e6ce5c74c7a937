/** What keyword search asks of one document. */
export interface DocumentTerms {
  /** How often each term of the query stands in the document, in the order of the query. */
  readonly counts: readonly number[];
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
 * Scores documents for a query of distinct terms by Okapi BM25 with the IDF that cannot turn negative,
 * ln(1 + (N - n + 0.5) / (n + 0.5)): Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond"
 * (2009), section 3.2, in Lucene's form. 0 when no term of the query stands in the document; never negative.
 */
export function bm25(
  terms: readonly string[],
  corpus: CorpusStatistics,
): (document: DocumentTerms) => number {
  const weights = terms.map((term) => idf(corpus.documentFrequencies.get(term) ?? 0, corpus.documentCount));
  return ({ counts, length }) => {
    const lengthRatio = corpus.meanLength > 0 ? length / corpus.meanLength : 1;
    const damping = K1 * (1 - B + B * lengthRatio);
    let score = 0;
    for (const [at, weight] of weights.entries()) {
      const count = counts[at] ?? 0;
      if (count > 0) score += (weight * count * (K1 + 1)) / (count + damping);
    }
    return score;
  };
}

/** Counters may lag behind a document by a write: one that holds a term is at least one of those that do, and of all. */
function idf(documentFrequency: number, documentCount: number): number {
  const containing = Math.max(1, documentFrequency);
  const documents = Math.max(containing, documentCount);
  return Math.log(1 + (documents - containing + 0.5) / (containing + 0.5));
}

/** Counts the distinct terms of a query in documents, which are given by their terms with repetitions. */
export function countTerms(terms: readonly string[]): (document: readonly string[]) => DocumentTerms {
  const places = new Map(terms.map((term, at) => [term, at]));
  return (document) => {
    const counts = terms.map(() => 0);
    for (const term of document) {
      const at = places.get(term);
      if (at !== undefined) counts[at] = (counts[at] ?? 0) + 1;
    }
    return { counts, length: document.length };
  };
}

/** Whether one of the chosen terms of a query stands in a document. */
export function holdsOneOf(
  chosen: readonly string[],
  terms: readonly string[],
): (document: DocumentTerms) => boolean {
  const isChosen = terms.map((term) => chosen.includes(term));
  return ({ counts }) => counts.some((count, at) => count > 0 && isChosen[at] === true);
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
