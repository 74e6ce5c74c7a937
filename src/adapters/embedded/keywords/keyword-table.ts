import {
  bm25,
  type CorpusStatistics,
  type DocumentTerms,
  maxTermScore,
  termWeight,
} from "../../../domain/memory/bm25.ts";
import type { RankingFields } from "../../../ports/memory/search.ts";
import { isVisible, type Slot } from "../database/slot.ts";
import { type Accumulators, bestDocuments } from "./best-documents.ts";
import { findPosting, POSTING } from "./postings.ts";
import { type UintList, UintLists } from "./uint-lists.ts";

const FIRST_CAPACITY = 64;

/** A shorter part of a string is a copy in V8; a longer one keeps the whole string in memory. */
const LONGEST_COPY = 12;

/** Adding a shorter list of postings is sooner than finding out whether it is needed. */
const ALWAYS_SEARCHED = 1000;

interface Term {
  readonly id: number;
  readonly text: string;
  /** Pairs of a slot and the frequency of the term in its document, by slot. */
  readonly postings: UintList;
  /** No document contains the term more often. */
  maxCount: number;
  /** Frequency in the document that is being added; 0 otherwise. */
  counted: number;
}

interface Document {
  readonly row: number;
  readonly slot: Slot<RankingFields>;
  /** Ids of its distinct terms. */
  readonly terms: UintList;
}

export interface KeywordMatch {
  readonly row: number;
  readonly fields: RankingFields;
  readonly document: DocumentTerms;
}

export interface KeywordMatches {
  /** Best first; equal scores by id. */
  readonly found: readonly KeywordMatch[];
  /** Terms of the query that retrieved documents. Those that occur and are not among them only counted in scores. */
  readonly retrieving: readonly string[];
}

/**
 * The terms of the memories of one namespace: an inverted index in memory. It mirrors the rows on disk and is changed after
 * them.
 */
export class KeywordTable {
  readonly #accumulators: Accumulators;
  readonly #searchedBelow: number;
  readonly #lists = new UintLists();
  readonly #terms = new Map<string, Term>();
  /** By id; undefined: the id is free. */
  readonly #termOfId: (Term | undefined)[] = [];
  readonly #freeIds: number[] = [];
  /** By slot; undefined: the slot is free. */
  readonly #documents: (Document | undefined)[] = [];
  readonly #freeSlots: number[] = [];
  readonly #slotOfRow = new Map<number, number>();
  /** Terms in the document of each slot, repetitions included. */
  #lengths = new Uint32Array(FIRST_CAPACITY);
  #termCount = 0;

  /** A term with at most `searchedBelow` postings is searched even if it can be left out. */
  constructor(accumulators: Accumulators, searchedBelow = ALWAYS_SEARCHED) {
    this.#accumulators = accumulators;
    this.#searchedBelow = searchedBelow;
  }

  get size(): number {
    return this.#slotOfRow.size;
  }

  get memoryBytes(): number {
    return this.#lists.memoryBytes + this.#lengths.byteLength;
  }

  put(row: number, terms: readonly string[], slot: Slot<RankingFields>): void {
    this.remove(row);
    const at = this.#freeSlots.pop() ?? this.#documents.length;
    this.#reserve(at + 1);
    this.#documents[at] = { row, slot, terms: this.#addPostings(at, terms) };
    this.#lengths[at] = terms.length;
    this.#slotOfRow.set(row, at);
    this.#termCount += terms.length;
  }

  /** Changes the fields of a row; does nothing for a row that is not in the table. */
  change(row: number, slot: Slot<RankingFields>): void {
    const at = this.#slotOfRow.get(row) ?? -1;
    const document = this.#documents[at];
    if (document !== undefined) this.#documents[at] = { ...document, slot };
  }

  /** Does nothing for a row that is not in the table. */
  remove(row: number): void {
    const at = this.#slotOfRow.get(row);
    const document = at === undefined ? undefined : this.#documents[at];
    if (at === undefined || document === undefined) return;
    const { offset, length } = document.terms;
    for (let place = offset; place < offset + length; place += 1) {
      this.#removePosting(this.#lists.data[place] as number, at);
    }
    this.#lists.release(document.terms);
    this.#termCount -= this.#lengths[at] as number;
    this.#documents[at] = undefined;
    this.#slotOfRow.delete(row);
    this.#freeSlots.push(at);
  }

  /** The BM25 statistics of the namespace. */
  corpus(terms: readonly string[]): CorpusStatistics {
    return {
      documentCount: this.size,
      meanLength: this.size === 0 ? 0 : this.#termCount / this.size,
      documentFrequencies: new Map(
        terms.map((term) => [term, (this.#terms.get(term)?.postings.length ?? 0) / POSTING]),
      ),
    };
  }

  /** The documents with the best BM25 scores among those that default reads see at `now`. */
  bestDefault(
    terms: readonly string[],
    corpus: CorpusStatistics,
    { limit, now }: { readonly limit: number; readonly now: number },
  ): KeywordMatches {
    return this.#best(terms, corpus, limit, (at) => isVisible(this.#documents[at]?.slot, now));
  }

  /** The documents with the best BM25 scores, among the given rows or all. */
  best(
    terms: readonly string[],
    corpus: CorpusStatistics,
    { limit, rows }: { readonly limit: number; readonly rows?: readonly number[] },
  ): KeywordMatches {
    if (rows === undefined) return this.#best(terms, corpus, limit, () => true);
    const eligible = new Uint8Array(this.#documents.length);
    for (const row of rows) {
      const at = this.#slotOfRow.get(row);
      if (at !== undefined) eligible[at] = 1;
    }
    return this.#best(terms, corpus, limit, (at) => eligible[at] === 1);
  }

  #best(
    query: readonly string[],
    corpus: CorpusStatistics,
    limit: number,
    isEligible: (slot: number) => boolean,
  ): KeywordMatches {
    const terms = query
      .flatMap((text) => this.#terms.get(text) ?? [])
      .map((term) => {
        const weight = termWeight(term.postings.length / POSTING, corpus);
        return { ...term, weight, maxScore: maxTermScore(weight, term.maxCount, corpus) };
      })
      .sort((a, b) => b.maxScore - a.maxScore);
    const index = { data: this.#lists.data, lengths: this.#lengths };
    const { slots, retrieving } = bestDocuments(
      index,
      { terms, corpus, limit, isEligible, searchedBelow: this.#searchedBelow },
      this.#accumulators,
    );
    const scoreOf = bm25(query, corpus);
    const found = this.#matches(slots, query)
      .map((match) => ({ match, score: scoreOf(match.document) }))
      .sort((a, b) => b.score - a.score || compareIds(a.match, b.match))
      .slice(0, limit)
      .map(({ match }) => match);
    return { found, retrieving: terms.slice(0, retrieving).map(({ text }) => text) };
  }

  /** `slots` are rising. */
  #matches(slots: Uint32Array, query: readonly string[]): KeywordMatch[] {
    const { data } = this.#lists;
    const counts = Array.from(slots, () => query.map(() => 0));
    for (const [index, text] of query.entries()) {
      const postings = this.#terms.get(text)?.postings;
      if (postings === undefined) continue;
      const end = postings.offset + postings.length;
      let place = postings.offset;
      for (let at = 0; at < slots.length && place < end; at += 1) {
        const slot = slots[at] as number;
        place = findPosting(data, postings, slot, place);
        if (place < end && data[place] === slot) (counts[at] as number[])[index] = data[place + 1] as number;
      }
    }
    return counts.map((one, at) => {
      const slot = slots[at] as number;
      const { row, slot: stored } = this.#documents[slot] as Document;
      const document = { counts: one, length: this.#lengths[slot] as number };
      return { row, fields: stored.fields, document };
    });
  }

  /** Adds a document to the postings of its terms, and returns the ids of these. */
  #addPostings(slot: number, texts: readonly string[]): UintList {
    const distinct: Term[] = [];
    for (const text of texts) {
      const term = this.#terms.get(text) ?? this.#newTerm(text);
      if (term.counted === 0) distinct.push(term);
      term.counted += 1;
    }
    const ids = this.#lists.create(distinct.length);
    for (const term of distinct) {
      const { postings, counted } = term;
      const end = postings.offset + postings.length;
      const isLast = postings.length === 0 || (this.#lists.data[end - POSTING] as number) < slot;
      const before = isLast
        ? postings.length
        : findPosting(this.#lists.data, postings, slot) - postings.offset;
      const place = this.#lists.open(postings, before, POSTING);
      this.#lists.data[place] = slot;
      this.#lists.data[place + 1] = counted;
      term.maxCount = Math.max(term.maxCount, counted);
      term.counted = 0;
      this.#lists.push(ids, term.id);
    }
    return ids;
  }

  #removePosting(id: number, slot: number): void {
    const term = this.#termOfId[id] as Term;
    const { postings } = term;
    this.#lists.close(postings, findPosting(this.#lists.data, postings, slot) - postings.offset, POSTING);
    if (postings.length > 0) return;
    this.#lists.release(postings);
    this.#terms.delete(term.text);
    this.#termOfId[id] = undefined;
    this.#freeIds.push(id);
  }

  #newTerm(given: string): Term {
    const id = this.#freeIds.pop() ?? this.#termOfId.length;
    const text = given.length > LONGEST_COPY ? Buffer.from(given).toString() : given;
    const term = { id, text, postings: this.#lists.create(), maxCount: 0, counted: 0 };
    this.#termOfId[id] = term;
    this.#terms.set(text, term);
    return term;
  }

  #reserve(count: number): void {
    if (count <= this.#lengths.length) return;
    const grown = new Uint32Array(2 * count);
    grown.set(this.#lengths);
    this.#lengths = grown;
  }
}

function compareIds(a: KeywordMatch, b: KeywordMatch): number {
  return a.fields.id < b.fields.id ? -1 : a.fields.id > b.fields.id ? 1 : 0;
}
