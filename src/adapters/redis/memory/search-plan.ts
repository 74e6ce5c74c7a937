import { vectorToBytes } from "../../../domain/embedding/vector.ts";
import { type CorpusStatistics, chooseTerms } from "../../../domain/memory/bm25.ts";
import {
  type FilteredSize,
  keywordRetrieverPlan,
  type SearchPlan,
  type VectorRetrieverPlan,
} from "../../../domain/memory/search-plan.ts";
import type { CandidateQuery } from "../../../ports/memory/search.ts";
import type { Argument, Command, Reply } from "../connection/client.ts";
import { listOf, numberOf, textOf } from "../connection/replies.ts";
import { type KnnPlan, planKnn } from "../indexes/knn-plan.ts";
import { type VectorIndexOptions, vectorField } from "../indexes/schema.ts";
import type { NamespaceRedisKeys } from "../namespaces/keys.ts";
import { countCommand, readIndexReply, readTotal, searchCommand } from "./commands.ts";
import { type Counters, type CounterUpdates, withUpdates } from "./counter-cache.ts";
import {
  estimateSize,
  type FilterCounters,
  filterCounters,
  type SizeEstimate,
  shareCounter,
  sizeCounters,
} from "./filter-size.ts";
import { type MemoryQuery, memoryQuery } from "./query.ts";
import {
  type KeywordCandidate,
  keywordMatches,
  type Matches,
  type VectorCandidate,
  vectorMatches,
} from "./retriever.ts";
import { encodeTerm } from "./terms.ts";

const NO_CORPUS: CorpusStatistics = { documentCount: 0, meanLength: 0, documentFrequencies: new Map() };

/** The reply of read-counters.lua. */
export interface SearchCounters {
  /** Undefined: the namespace does not exist. */
  readonly namespaceId: string | undefined;
  /** Of the vectors. */
  readonly generation: number;
  /** The memories of the partition, which share an index. Undefined: not counted yet. */
  readonly indexed: number | undefined;
  readonly memories: number;
  /** Of all memories, repetitions included. */
  readonly terms: number;
  /** Of the terms of the query, in their order. */
  readonly documentFrequencies: readonly number[];
  /** Of FilterCounters.tokens, in their order. */
  readonly sizes: readonly number[];
}

export function readCounters(reply: Reply | undefined): SearchCounters {
  const [namespaceId, generation, indexed, memories, terms, frequencies, sizes] = listOf(reply);
  return {
    namespaceId: textOf(namespaceId),
    generation: numberOf(generation),
    indexed: textOf(indexed) === undefined ? undefined : numberOf(indexed),
    memories: numberOf(memories),
    terms: numberOf(terms),
    documentFrequencies: listOf(frequencies).map(numberOf),
    sizes: listOf(sizes).map(numberOf),
  };
}

export interface SearchPlanOptions {
  readonly namespace: NamespaceRedisKeys;
  /** The cached counters of the namespace. */
  readonly counters: Counters;
  readonly vectors: VectorIndexOptions;
  /** The index of memories. */
  readonly index: string;
  /** The generation of the vectors. */
  readonly generation: number;
}

/** The commands of one round trip, and how to read their replies. */
export interface PlannedSearch {
  readonly commands: readonly Command[];
  /** The arguments of read-counters.lua, which is sent with the commands. */
  readonly terms: readonly string[];
  readonly tokens: readonly string[];
  /** `replies` are those to the commands, in their order; `now`: in milliseconds. Reads each once. */
  readonly read: (replies: readonly Reply[], counters: SearchCounters, now: number) => ReadSearch;
}

export interface ReadSearch {
  /** For the plan of the next search. */
  readonly updates: CounterUpdates;
  /** Undefined: the commands only counted the memories that pass the filter. Plan again with the updates. */
  readonly answer: SearchAnswer | undefined;
}

export interface SearchAnswer {
  readonly vector: Matches<VectorCandidate>;
  readonly keyword: Matches<KeywordCandidate>;
  readonly corpus: CorpusStatistics;
  /** Whether the counters in the replies confirm the plan; else plan again with the updates. */
  readonly isSettled: boolean;
  /** For operators: see SearchPlan. */
  readonly plan: Omit<SearchPlan, "rounds">;
}

/** The parts of a query, and their size estimate. */
interface Prepared extends SearchPlanOptions {
  readonly query: CandidateQuery;
  /** Undefined: nothing can pass, and no index is searched. */
  readonly filter: { readonly query: MemoryQuery; readonly counters: FilterCounters } | undefined;
  readonly size: SizeEstimate | undefined;
  readonly terms: readonly string[];
}

/**
 * Plans one round trip of a search by the cached counters. A vector search through a graph needs the number of memories
 * that pass the filter: when it is not known, the first round trip counts them; otherwise it queries both retrievers.
 * Pure: the same commands for the same query and counters.
 */
export function planSearch(query: CandidateQuery, options: SearchPlanOptions): PlannedSearch {
  const { namespace, counters } = options;
  const filterQuery = memoryQuery(namespace.namespaceId, query.filter);
  const filter = filterQuery && {
    query: filterQuery,
    counters: filterCounters(namespace.namespaceId, filterQuery),
  };
  const size = filter && estimateSize(filter.counters, counters);
  const prepared: Prepared = { ...options, query, filter, size, terms: query.terms ?? [] };
  if (query.vector === undefined || size === undefined) return planRetrievers(prepared, undefined);
  const knn = planVectors(prepared, size);
  return knn === undefined ? planSizes(prepared) : planRetrievers(prepared, knn);
}

/** Undefined: the number of memories that pass is not known well enough. */
function planVectors(
  {
    query: { limit },
    vectors: { algorithm, hnsw },
    counters,
  }: Pick<Prepared, "query" | "vectors" | "counters">,
  { bound, eligible, stored = 0 }: SizeEstimate,
): KnnPlan | undefined {
  const indexed = Math.max(stored, counters(INDEXED) ?? 0);
  const plan = (size: number): KnnPlan =>
    planKnn({ algorithm, eligible: size, indexed, limit, efRuntime: hnsw.efRuntime });
  if (algorithm === "FLAT") return plan(0);
  const worst = bound === undefined ? undefined : plan(bound);
  if (worst?.policy === "ADHOC_BF") return worst;
  return eligible === undefined ? undefined : plan(eligible);
}

/** The sizes are part of the counters; memories that pass are counted as well where the bounds are not enough. */
function planSizes({ filter, size, counters, terms, index }: Prepared): PlannedSearch {
  if (filter === undefined || size === undefined) throw new RangeError("without a filter there is no size");
  return {
    commands: size.needsCount ? [countCommand(index, filter.query)] : [],
    terms: terms.map(encodeTerm),
    tokens: filter.counters.tokens,
    read: ([count], { sizes, indexed }) => {
      const updates = new Map(sizeCounters(filter.counters, sizes)).set(INDEXED, indexed);
      if (count !== undefined) {
        const after = estimateSize(filter.counters, withUpdates(counters, updates));
        addAll(updates, shareCounter(filter.counters, after, readTotal(count)));
      }
      return { updates, answer: undefined };
    },
  };
}

/** `knn` undefined: no vector is compared. */
function planRetrievers(prepared: Prepared, knn: KnnPlan | undefined): PlannedSearch {
  const { query, filter, counters, terms, index, generation } = prepared;
  const sentTerms = filter === undefined ? [] : termsToSend(terms, counters);
  const commands: Command[] = [];
  if (filter !== undefined && knn !== undefined) {
    commands.push(vectorCommand(query, filter.query, knn, { index, generation }));
  }
  if (filter !== undefined && sentTerms.length > 0) {
    commands.push(keywordCommand(query, filter.query, sentTerms, index));
  }
  return {
    commands,
    terms: terms.map(encodeTerm),
    tokens: filter?.counters.tokens ?? [],
    read: (replies, read, now) => readRetrievers({ ...prepared, knn, sentTerms }, replies, read, now),
  };
}

interface RetrieverSearch extends Prepared {
  readonly knn: KnnPlan | undefined;
  readonly sentTerms: readonly string[];
}

function readRetrievers(
  search: RetrieverSearch,
  replies: readonly Reply[],
  read: SearchCounters,
  now: number,
): ReadSearch {
  const { namespace, filter, counters, terms, knn, sentTerms } = search;
  const updates = new Map<string, number | undefined>(filter && sizeCounters(filter.counters, read.sizes));
  updates.set(INDEXED, read.indexed);
  const corpus = terms.length === 0 ? NO_CORPUS : corpusOf(terms, read);
  for (const [term, frequency] of corpus.documentFrequencies) updates.set(frequencyName(term), frequency);

  const chosen = chooseTerms(terms, corpus);
  const vector = vectorMatches(now);
  const keyword = keywordMatches(now, terms, chosen);
  const left = replies.values();
  const readInto = (matches: Matches<unknown>): number =>
    readIndexReply(left.next().value, namespace, (id, fields) => matches.add(id, fields));
  if (knn !== undefined) readInto(vector);
  const matching = sentTerms.length === 0 ? 0 : readInto(keyword);

  const current = withUpdates(counters, updates);
  const plan = shownPlan(search, { chosen, corpus, size: search.size?.size ?? sizeBy(filter, current) });
  const isSettled =
    areMatchesSufficient(search, updates, vector.found) &&
    areTermsSufficient(search, { chosen, corpus, matching });
  return { updates, answer: { vector, keyword, corpus, plan, isSettled } };
}

function sizeBy(filter: Prepared["filter"], counters: Counters): FilteredSize | undefined {
  return filter && estimateSize(filter.counters, counters).size;
}

function shownPlan(
  { filter, terms, vectors, knn }: RetrieverSearch,
  {
    chosen,
    corpus,
    size,
  }: {
    readonly chosen: readonly string[];
    readonly corpus: CorpusStatistics;
    readonly size: FilteredSize | undefined;
  },
): Omit<SearchPlan, "rounds"> {
  const vector: VectorRetrieverPlan | undefined = knn && {
    policy: vectors.algorithm === "FLAT" ? "FLAT" : knn.policy,
    candidates: knn.policy === "BATCHES" ? knn.ef : 0,
    ...(size === undefined ? {} : { eligible: size }),
  };
  // Where nothing can pass the filter, no index is searched.
  const sentTerms = filter === undefined ? [] : terms;
  return {
    ...(vector === undefined ? {} : { vector }),
    ...keywordRetrieverPlan(sentTerms, sentTerms.length === 0 ? [] : chosen, corpus),
    walked: false,
  };
}

function addAll(updates: Map<string, number | undefined>, more: CounterUpdates): void {
  for (const [name, value] of more) updates.set(name, value);
}

function corpusOf(
  terms: readonly string[],
  { memories, terms: length, documentFrequencies: frequencies }: SearchCounters,
): CorpusStatistics {
  return {
    documentCount: memories,
    meanLength: memories === 0 ? 0 : length / memories,
    documentFrequencies: new Map(terms.map((term, at) => [term, frequencies[at] ?? 0])),
  };
}

/** The counter of the memories of the partition. */
const INDEXED = "/indexed";

/** The counter of a document frequency; tokens begin with a letter, so the sign tells them apart. */
function frequencyName(term: string): string {
  return `:${term}`;
}

/** Chosen by the cached frequencies. Terms that may be in no memory are sent too: they cost nothing if so. */
function termsToSend(terms: readonly string[], counters: Counters): string[] {
  const current = new Map(terms.map((term) => [term, counters(frequencyName(term)) ?? 0]));
  const chosen = chooseTerms(terms, { ...NO_CORPUS, documentFrequencies: current });
  return terms.filter((term) => current.get(term) === 0 || chosen.includes(term));
}

/** Unneeded terms are harmless, unless their matches crowded out those of the chosen terms. */
function areTermsSufficient(
  { query, filter, sentTerms }: RetrieverSearch,
  {
    chosen,
    corpus,
    matching,
  }: { readonly chosen: readonly string[]; readonly corpus: CorpusStatistics; readonly matching: number },
): boolean {
  if (filter === undefined) return true;
  if (chosen.some((term) => !sentTerms.includes(term))) return false;
  const tooMany = sentTerms.some(
    (term) => !chosen.includes(term) && (corpus.documentFrequencies.get(term) ?? 0) > 0,
  );
  return !tooMany || matching <= query.limit;
}

/**
 * Batches with too few matches have traversed the whole graph, and may have missed vectors that it does not reach; few
 * memories pass then, and all of them can be compared. Adds the share of the filter, computed from the number of
 * matches, to `updates`.
 */
function areMatchesSufficient(
  { query, filter, vectors, counters, knn }: RetrieverSearch,
  updates: Map<string, number | undefined>,
  found: number,
): boolean {
  if (filter === undefined || knn === undefined) return true;
  const current = withUpdates(counters, updates);
  const before = estimateSize(filter.counters, current);
  if (knn.policy === "BATCHES" && found < query.limit) {
    addAll(updates, shareCounter(filter.counters, before, found));
    const size = estimateSize(filter.counters, current);
    return planVectors({ query, vectors, counters: current }, size)?.policy === "BATCHES";
  }
  const isShareWrong = found >= query.limit && (before.eligible ?? 0) < query.limit;
  if (isShareWrong) updates.set(filter.counters.shareName, undefined);
  return true;
}

function vectorCommand(
  { vector, limit }: CandidateQuery,
  filter: MemoryQuery,
  knn: KnnPlan,
  { index, generation }: { readonly index: string; readonly generation: number },
): Command {
  const params = new Map<string, Argument>(filter.params);
  params.set("k", limit);
  params.set("vector", Buffer.from(vectorToBytes(vector ?? new Float32Array())));
  if (knn.policy === "BATCHES") params.set("ef", knn.ef);
  const runtime = knn.policy === "BATCHES" ? "EF_RUNTIME $ef " : "";
  const text =
    `(${filter.text})=>[KNN $k @${vectorField(generation)} $vector ` +
    `${runtime}HYBRID_POLICY ${knn.policy} AS distance]`;
  const options = ["SORTBY", "distance", "ASC"];
  return searchCommand(index, { text, params }, { fields: ["facts", "distance"], limit, options });
}

function keywordCommand(
  { limit }: CandidateQuery,
  filter: MemoryQuery,
  terms: readonly string[],
  index: string,
): Command {
  const params = new Map<string, Argument>(filter.params);
  for (const [at, term] of terms.entries()) params.set(`t${at}`, encodeTerm(term));
  // The filter is repeated with each term. RediSearch 2.8 drops from a document's score what it has read ahead of an
  // intersection: with one filter for all terms, the only document with a rare term came last.
  const text = terms.map((_, at) => `(${filter.text} @terms:$t${at})`).join("|");
  const options = ["VERBATIM", "SCORER", "BM25STD"];
  return searchCommand(index, { text, params }, { fields: ["facts", "terms"], limit, options });
}
