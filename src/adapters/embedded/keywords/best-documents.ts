import { type CorpusStatistics, lengthDamping, termScore } from "../../../domain/memory/bm25.ts";
import { findPosting, POSTING } from "./postings.ts";
import type { UintList } from "./uint-lists.ts";

/** A term of a query, with its postings in the order of their slots. */
export interface QueryTerm {
  readonly postings: UintList;
  /** See termWeight. */
  readonly weight: number;
  /** See maxTermScore. */
  readonly maxScore: number;
}

export interface DocumentQuery {
  /** In the order in which they are searched: those that can add most to a score first. */
  readonly terms: readonly QueryTerm[];
  readonly corpus: CorpusStatistics;
  /** How many documents are wanted; at least 1. */
  readonly limit: number;
  /** Whether the document of a slot may be found. */
  readonly isEligible: (slot: number) => boolean;
  /** A term with no more postings is always searched. */
  readonly searchedBelow: number;
}

/** The postings and the lengths of documents, by slot. */
export interface DocumentIndex {
  readonly data: Uint32Array;
  readonly lengths: Uint32Array;
}

export interface BestDocuments {
  /** Slots, rising. All that may be among the best: those with the last score, and others that differ from it by rounding. */
  readonly slots: Uint32Array;
  /** How many terms retrieved documents; the rest only added to the scores of those. */
  readonly retrieving: number;
}

/** Scores are sums in another order than those of `bm25`; a score of 64 terms differs by less than this share. */
const ROUNDING = 1e-12;

/** Scores of documents while they are added up, by slot; for one search at a time, and reused by the next. */
export class Accumulators {
  /** All 0 between searches. */
  scores = new Float64Array(0);
  /** Slots with a score, in the order in which they got it. */
  slots = new Uint32Array(0);
  count = 0;

  reserve(size: number): void {
    if (this.scores.length >= size) return;
    this.scores = new Float64Array(2 * size);
    this.slots = new Uint32Array(2 * size);
  }

  clear(): void {
    const { scores, slots, count } = this;
    for (let at = 0; at < count; at += 1) scores[slots[at] as number] = 0;
    this.count = 0;
  }
}

/**
 * The documents with the highest BM25 scores. Exact, with the pruning of Turtle and Flood, "Query Evaluation: Strategies and
 * Optimizations" (1995), term by term: once the terms that are left cannot lift a document without a score above the
 * `limit`-th best score, they are only looked up in the documents that can still be among the best.
 */
export function bestDocuments(
  index: DocumentIndex,
  query: DocumentQuery,
  accumulators: Accumulators,
): BestDocuments {
  const { terms } = query;
  accumulators.reserve(index.lengths.length);
  try {
    const remaining = remainingScores(terms);
    let retrieving = 0;
    let least = 0;
    for (const term of terms) {
      if (term.postings.length > query.searchedBelow * POSTING) {
        least = leastOfBest(accumulators, query);
        if (least > (remaining[retrieving] ?? 0) * (1 + ROUNDING)) break;
      }
      addPostings(index, term, query.corpus, accumulators);
      retrieving += 1;
    }
    if (retrieving < terms.length) {
      keepAbove(accumulators, query, least * (1 - ROUNDING) - (remaining[retrieving] ?? 0));
      for (const term of terms.slice(retrieving)) lookUp(index, term, query.corpus, accumulators);
    }
    keepAbove(accumulators, query, leastOfBest(accumulators, query) * (1 - ROUNDING));
    return { slots: accumulators.slots.slice(0, accumulators.count), retrieving };
  } finally {
    accumulators.clear();
  }
}

/** The most that the terms from each one on can add together. */
function remainingScores(terms: readonly QueryTerm[]): number[] {
  const remaining: number[] = [];
  let sum = 0;
  for (const { maxScore } of terms.toReversed()) {
    sum += maxScore;
    remaining.push(sum);
  }
  return remaining.reverse();
}

function addPostings(
  { data, lengths }: DocumentIndex,
  { postings, weight }: QueryTerm,
  corpus: CorpusStatistics,
  accumulators: Accumulators,
): void {
  const { scores, slots } = accumulators;
  const end = postings.offset + postings.length;
  let { count } = accumulators;
  for (let at = postings.offset; at < end; at += POSTING) {
    const slot = data[at] as number;
    const before = scores[slot] as number;
    if (before === 0) {
      slots[count] = slot;
      count += 1;
    }
    const damping = lengthDamping(lengths[slot] as number, corpus);
    scores[slot] = before + termScore(weight, data[at + 1] as number, damping);
  }
  accumulators.count = count;
}

/** Adds a term to the scores of documents that have one. Their slots are rising. */
function lookUp(
  { data, lengths }: DocumentIndex,
  { postings, weight }: QueryTerm,
  corpus: CorpusStatistics,
  { scores, slots, count }: Accumulators,
): void {
  const end = postings.offset + postings.length;
  let place = postings.offset;
  for (let at = 0; at < count && place < end; at += 1) {
    const slot = slots[at] as number;
    place = findPosting(data, postings, slot, place);
    if (place < end && data[place] === slot) {
      const damping = lengthDamping(lengths[slot] as number, corpus);
      scores[slot] = (scores[slot] as number) + termScore(weight, data[place + 1] as number, damping);
    }
  }
}

/** The `limit`-th best score of an eligible document; 0 while there are fewer. */
function leastOfBest(
  { scores, slots, count }: Accumulators,
  { limit, isEligible }: Pick<DocumentQuery, "limit" | "isEligible">,
): number {
  if (count < limit) return 0;
  const best = new Largest(limit);
  for (let at = 0; at < count; at += 1) {
    const slot = slots[at] as number;
    const score = scores[slot] as number;
    if (score > best.least && isEligible(slot)) best.add(score);
  }
  return best.least;
}

/** Drops documents that are not eligible or have a score below `lowest`; sorts the slots of the rest. */
function keepAbove(
  accumulators: Accumulators,
  { isEligible }: Pick<DocumentQuery, "isEligible">,
  lowest: number,
): void {
  const { scores, slots, count } = accumulators;
  let kept = 0;
  for (let at = 0; at < count; at += 1) {
    const slot = slots[at] as number;
    if ((scores[slot] as number) >= lowest && isEligible(slot)) {
      slots[kept] = slot;
      kept += 1;
    } else scores[slot] = 0;
  }
  slots.subarray(0, kept).sort();
  accumulators.count = kept;
}

/** The largest numbers of those that are added, in a binary heap with the least of them on top. */
class Largest {
  readonly #limit: number;
  readonly #heap: number[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The least of the largest; 0 while there are fewer than the limit. */
  get least(): number {
    return this.#heap.length < this.#limit ? 0 : (this.#heap[0] as number);
  }

  /** Adds a number above `least`. */
  add(number: number): void {
    const heap = this.#heap;
    if (heap.length < this.#limit) {
      heap.push(number);
      this.#rise(heap.length - 1);
    } else {
      heap[0] = number;
      this.#sink();
    }
  }

  #rise(from: number): void {
    const heap = this.#heap;
    const number = heap[from] as number;
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      if ((heap[parent] as number) <= number) break;
      heap[at] = heap[parent] as number;
      at = parent;
    }
    heap[at] = number;
  }

  #sink(): void {
    const heap = this.#heap;
    const number = heap[0] as number;
    let at = 0;
    for (let child = 1; child < heap.length; child = 2 * at + 1) {
      const right = child + 1;
      const lesser = right < heap.length && (heap[right] as number) < (heap[child] as number) ? right : child;
      if ((heap[lesser] as number) >= number) break;
      heap[at] = heap[lesser] as number;
      at = lesser;
    }
    heap[at] = number;
  }
}
