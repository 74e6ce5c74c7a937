import type { Scope } from "../../../domain/access/tenancy.ts";
import { vectorToBytes } from "../../../domain/embedding/vector.ts";
import { type CorpusStatistics, chooseTerms } from "../../../domain/memory/bm25.ts";
import {
  type FilteredSize,
  keywordArm,
  type SearchPlan,
  type VectorArm,
} from "../../../domain/memory/search-plan.ts";
import type { CandidateQuery } from "../../../ports/memory/memory-store.ts";
import type { Argument, Command, Reply } from "../connection/client.ts";
import { listOf, numberOf, textOf } from "../connection/replies.ts";
import { type KnnPlan, planKnn } from "../indexes/knn-plan.ts";
import { type VectorIndexOptions, vectorField } from "../indexes/schema.ts";
import { type NamespaceKeys, scopeName } from "../namespaces/keys.ts";
import { readIndexReply, searchCommand } from "./commands.ts";
import type { SeenNumbers } from "./counter-cache.ts";
import { FilterSize } from "./filter-size.ts";
import { type MemoryQuery, memoryQuery } from "./query.ts";
import { type Arm, type Containing, containingArm, type Nearest, nearestArm } from "./retriever.ts";
import { encodeTerm } from "./terms.ts";

const NO_CORPUS: CorpusStatistics = { documentCount: 0, meanLength: 0, documentFrequencies: new Map() };

/** What read-counters.lua answers. */
export interface SearchCounters {
  /** Of the namespace; undefined: it is not there. */
  readonly number: string | undefined;
  /** Of the vectors. */
  readonly generation: number;
  readonly memories: number;
  /** Of all memories, repetitions included. */
  readonly terms: number;
  /** Of the terms that are looked for, in their order. */
  readonly documentFrequencies: readonly number[];
  /** See FilterSize.tokens. */
  readonly sizes: readonly number[];
}

export function readCounters(reply: Reply | undefined): SearchCounters {
  const [number, generation, memories, terms, frequencies, sizes] = listOf(reply);
  return {
    number: textOf(number),
    generation: numberOf(generation),
    memories: numberOf(memories),
    terms: numberOf(terms),
    documentFrequencies: listOf(frequencies).map(numberOf),
    sizes: listOf(sizes).map(numberOf),
  };
}

export interface SearchAnswer {
  readonly nearest: Arm<Nearest>;
  readonly containing: Arm<Containing>;
  readonly corpus: CorpusStatistics;
  /** Whether the question was the right one, by what came along; else it is to be put again. */
  readonly isSettled: boolean;
  /** In what way it was put. */
  readonly plan: Omit<SearchPlan, "rounds">;
}

/**
 * What is asked of a namespace in one round trip, for one search: both arms, and the counters that say whether these
 * were asked for in the right way. Which way that is goes by what the process saw last.
 */
export class SearchQuestion {
  readonly #query: CandidateQuery;
  readonly #namespace: NamespaceKeys;
  readonly #seen: SeenNumbers;
  readonly #vectors: VectorIndexOptions;
  readonly #filter: MemoryQuery | undefined;
  readonly #terms: readonly string[];
  readonly #asked: readonly string[];
  readonly #size: FilterSize | undefined;
  readonly #plan: KnnPlan | undefined;

  constructor(
    query: CandidateQuery,
    namespace: NamespaceKeys,
    { seen, vectors }: { readonly seen: SeenNumbers; readonly vectors: VectorIndexOptions },
  ) {
    this.#query = query;
    this.#namespace = namespace;
    this.#seen = seen;
    this.#vectors = vectors;
    this.#filter = memoryQuery(namespace.number, query.filter);
    this.#terms = query.terms ?? [];
    this.#asked = this.#filter === undefined ? [] : this.#termsToAsk();
    this.#size = this.#filter && new FilterSize(namespace, this.#filter, seen);
    this.#plan = query.vector && this.#size && this.#planFor(this.#size);
  }

  /** Whether nobody knows yet how large the filtered set is: `sizes` is to be asked first. */
  get needsSizes(): boolean {
    return this.#query.vector !== undefined && this.#filter !== undefined && this.#plan === undefined;
  }

  /** Commands beside the counters. */
  sizes(index: string): Command[] {
    return this.#size?.askCount(index) ?? [];
  }

  readSizes([count]: readonly Reply[], { sizes }: SearchCounters): void {
    this.#size?.readSizes(sizes);
    this.#size?.readCount(count);
  }

  /** The input of read-counters.lua. */
  counters(scope: Scope) {
    const { partition, counters, documentFrequencies, sizes } = this.#namespace;
    return {
      ...{ namespaces: partition.namespaces, meta: partition.meta, counters, documentFrequencies, sizes },
      namespaceName: scopeName(scope),
      terms: this.#terms.map(encodeTerm),
      tokens: this.#size?.tokens ?? [],
    };
  }

  /** Commands beside the counters: both arms. */
  searches(index: string, generation: number): Command[] {
    const filter = this.#filter;
    return [
      ...(filter === undefined || this.#plan === undefined
        ? []
        : [this.#nearestCommand(index, filter, this.#plan, generation)]),
      ...(filter === undefined || this.#asked.length === 0 ? [] : [this.#containingCommand(index, filter)]),
    ];
  }

  read(replies: readonly Reply[], counters: SearchCounters, now: number): SearchAnswer {
    const left = [...replies];
    const corpus = this.#terms.length === 0 ? NO_CORPUS : this.#corpus(counters);
    // What the plan went by; where it went by nothing, what came along.
    const size = this.#size?.known;
    this.#size?.readSizes(counters.sizes);
    const chosen = chooseTerms(this.#terms, corpus);
    const nearest = nearestArm(now);
    const containing = containingArm(now, this.#terms, chosen);
    const read = (arm: Arm<unknown>): number =>
      readIndexReply(left.shift(), this.#namespace, (id, fields) => arm.add(id, fields));
    if (this.#plan !== undefined) read(nearest);
    const matching = this.#asked.length === 0 ? 0 : read(containing);
    return {
      nearest,
      containing,
      corpus,
      plan: this.#told(chosen, corpus, size ?? this.#size?.known),
      isSettled: this.#foundEnough(nearest) && this.#askedRight(chosen, corpus, matching),
    };
  }

  #told(
    chosen: readonly string[],
    corpus: CorpusStatistics,
    eligible: FilteredSize | undefined,
  ): Omit<SearchPlan, "rounds"> {
    const plan = this.#plan;
    const vector: VectorArm | undefined = plan && {
      policy: this.#vectors.algorithm === "FLAT" ? "FLAT" : plan.policy,
      candidates: plan.policy === "BATCHES" ? plan.ef : 0,
      ...(eligible === undefined ? {} : { eligible }),
    };
    // Where nothing can pass the filter, nothing is asked.
    const terms = this.#filter === undefined ? [] : this.#terms;
    return {
      ...(vector === undefined ? {} : { vector }),
      ...keywordArm(terms, terms.length === 0 ? [] : chosen, corpus),
      walked: false,
    };
  }

  /** By the frequencies that were seen last. What may stand nowhere is asked for too: it costs nothing if it does. */
  #termsToAsk(): string[] {
    const seen = new Map(
      this.#terms.map((term) => [term, this.#seen.get(this.#namespace.number, dfName(term)) ?? 0]),
    );
    const chosen = chooseTerms(this.#terms, { ...NO_CORPUS, documentFrequencies: seen });
    return this.#terms.filter((term) => seen.get(term) === 0 || chosen.includes(term));
  }

  #corpus({ memories, terms, documentFrequencies: counts }: SearchCounters): CorpusStatistics {
    const documentFrequencies = new Map(this.#terms.map((term, at) => [term, counts[at] ?? 0]));
    for (const [term, count] of documentFrequencies) {
      this.#seen.set(this.#namespace.number, dfName(term), count);
    }
    return {
      documentCount: memories,
      meanLength: memories === 0 ? 0 : terms / memories,
      documentFrequencies,
    };
  }

  /** Terms that were not to be asked for do no harm, unless they crowded out what the others would have brought. */
  #askedRight(chosen: readonly string[], corpus: CorpusStatistics, matching: number): boolean {
    if (this.#filter === undefined) return true;
    if (chosen.some((term) => !this.#asked.includes(term))) return false;
    const tooMany = this.#asked.some(
      (term) => !chosen.includes(term) && (corpus.documentFrequencies.get(term) ?? 0) > 0,
    );
    return !tooMany || matching <= this.#query.limit;
  }

  /**
   * Batches that bring too little have gone through all of a graph, and may have missed what it does not lead to; few
   * pass then, and all of them can be compared.
   */
  #foundEnough({ found }: Arm<Nearest>): boolean {
    if (this.#size === undefined || this.#plan === undefined) return true;
    const isShort = found < this.#query.limit;
    if (this.#plan.policy === "BATCHES" && isShort) {
      this.#size.seeCount(found);
      return this.#planFor(this.#size)?.policy === "BATCHES";
    }
    if (!isShort && (this.#size.eligible ?? 0) < this.#query.limit) this.#size.forgetCount();
    return true;
  }

  /** Undefined: nobody knows enough. */
  #planFor({ bound, eligible }: FilterSize): KnnPlan | undefined {
    const { algorithm, hnsw } = this.#vectors;
    const plan = (size: number): KnnPlan =>
      planKnn({ algorithm, eligible: size, limit: this.#query.limit, efRuntime: hnsw.efRuntime });
    const worst = plan(bound ?? Number.POSITIVE_INFINITY);
    if (worst.policy === "ADHOC_BF") return worst;
    return eligible === undefined ? undefined : plan(eligible);
  }

  #nearestCommand(index: string, filter: MemoryQuery, plan: KnnPlan, generation: number): Command {
    const params = new Map<string, Argument>(filter.params);
    params.set("k", this.#query.limit);
    params.set("vector", Buffer.from(vectorToBytes(this.#query.vector ?? new Float32Array())));
    if (plan.policy === "BATCHES") params.set("ef", plan.ef);
    const runtime = plan.policy === "BATCHES" ? "EF_RUNTIME $ef " : "";
    const text =
      `(${filter.text})=>[KNN $k @${vectorField(generation)} $vector ` +
      `${runtime}HYBRID_POLICY ${plan.policy} AS distance]`;
    const options = ["SORTBY", "distance", "ASC"];
    return searchCommand(
      index,
      { text, params },
      { fields: ["facts", "distance"], limit: this.#query.limit, options },
    );
  }

  #containingCommand(index: string, filter: MemoryQuery): Command {
    const params = new Map<string, Argument>(filter.params);
    for (const [at, term] of this.#asked.entries()) params.set(`t${at}`, encodeTerm(term));
    // The filter stands with each term. RediSearch 2.8 forgets in the score of a document what it has read ahead of an
    // intersection: with one filter beside all terms, the very document that alone holds a rare one came last.
    const any = this.#asked.map((_, at) => `(${filter.text} @terms:$t${at})`).join("|");
    return searchCommand(
      index,
      { text: any, params },
      {
        fields: ["facts", "terms"],
        limit: this.#query.limit,
        options: ["VERBATIM", "SCORER", "BM25STD"],
      },
    );
  }
}

/** Under what a document frequency is kept; tokens begin with a letter, so the sign tells them apart. */
function dfName(term: string): string {
  return `:${term}`;
}
