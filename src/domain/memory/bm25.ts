/** The fields of a document that BM25 reads. */
export interface DocumentTerms {
  /** Frequency of each query term in the document, in the order of the query. */
  readonly counts: readonly number[];
  /** Terms in the document, repetitions included. */
  readonly length: number;
}

/** Statistics of the corpus: all documents of one namespace, in any state. */
export interface CorpusStatistics {
  readonly documentCount: number;
  /** Mean number of terms in a document. */
  readonly meanLength: number;
  /** The number of documents that contain each query term. */
  readonly documentFrequencies: ReadonlyMap<string, number>;
}

/** Term frequency saturation. */
const K1 = 1.2;
/** Length normalisation. */
const B = 0.75;

/**
 * Scores documents for a query of distinct terms by Okapi BM25 with the IDF that cannot turn negative,
 * ln(1 + (N - n + 0.5) / (n + 0.5)): Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond"
 * (2009), section 3.2, in Lucene's form. 0 when the document contains no query term; never negative.
 */
export function bm25(
  terms: readonly string[],
  corpus: CorpusStatistics,
): (document: DocumentTerms) => number {
  const weights = terms.map((term) => termWeight(corpus.documentFrequencies.get(term) ?? 0, corpus));
  return ({ counts, length }) => {
    const damping = lengthDamping(length, corpus);
    let score = 0;
    for (const [at, weight] of weights.entries()) {
      const count = counts[at] ?? 0;
      if (count > 0) score += termScore(weight, count, damping);
    }
    return score;
  };
}

/**
 * The weight of a term: its IDF. Counters may lag behind a document by a write, so both are taken as at least 1 (the scored
 * document contains the term).
 */
export function termWeight(
  documentFrequency: number,
  { documentCount }: Pick<CorpusStatistics, "documentCount">,
): number {
  const containing = Math.max(1, documentFrequency);
  const documents = Math.max(containing, documentCount);
  return Math.log(1 + (documents - containing + 0.5) / (containing + 0.5));
}

/** By how much the length of a document lowers the scores of its terms. */
export function lengthDamping(length: number, { meanLength }: Pick<CorpusStatistics, "meanLength">): number {
  return K1 * (1 - B + B * (meanLength > 0 ? length / meanLength : 1));
}

/** What a term adds to the score of a document that contains it `count` times. */
export function termScore(weight: number, count: number, damping: number): number {
  return (weight * count * (K1 + 1)) / (count + damping);
}

/**
 * The most that a term can add to any score, when no document contains it more than `maxCount` times: a document that
 * consists of the term alone.
 */
export function maxTermScore(
  weight: number,
  maxCount: number,
  corpus: Pick<CorpusStatistics, "meanLength">,
): number {
  return termScore(weight, maxCount, lengthDamping(maxCount, corpus));
}

/** Whether a document contains one of the chosen terms of a query. */
export function holdsOneOf(
  chosen: readonly string[],
  terms: readonly string[],
): (document: DocumentTerms) => boolean {
  const isChosen = terms.map((term) => chosen.includes(term));
  return ({ counts }) => counts.some((count, at) => count > 0 && isChosen[at] === true);
}

/** Most postings (pairs of term and document) of the chosen terms together. */
const MAX_POSTINGS = 1000;

/**
 * The terms by which candidates are searched: those that occur in any document, rarest first, until together they have
 * MAX_POSTINGS postings. A common word adds thousands of candidates and next to nothing to a score; it still counts in the
 * score of the candidates that rarer terms find.
 */
export function chooseTerms(terms: readonly string[], corpus: CorpusStatistics): string[] {
  const occurring = terms
    .map((term) => ({ term, documents: corpus.documentFrequencies.get(term) ?? 0 }))
    .filter(({ documents }) => documents > 0)
    .sort((a, b) => a.documents - b.documents);
  const chosen: string[] = [];
  let postings = 0;
  for (const { term, documents } of occurring) {
    postings += documents;
    if (chosen.length > 0 && postings > MAX_POSTINGS) break;
    chosen.push(term);
  }
  return chosen;
}
