import type { NamespaceKey } from "../../../domain/access/tenancy.ts";
import { clampSimilarity, dot, vectorFromBytes } from "../../../domain/embedding/vector.ts";
import { bm25, type CorpusStatistics, chooseTerms, holdsOneOf } from "../../../domain/memory/bm25.ts";
import { matchesFilter } from "../../../domain/memory/filter.ts";
import type { Memory } from "../../../domain/memory/memory.ts";
import { keywordRetrieverPlan } from "../../../domain/memory/search-plan.ts";
import type { CandidateQuery, Candidates, RankingFields } from "../../../ports/memory/search.ts";
import { bytesOf, listOf, numberOf, textOf } from "../connection/replies.ts";
import { vectorField } from "../indexes/schema.ts";
import type { VectorModel } from "../indexes/vector-model.ts";
import type { Namespaces } from "../namespaces/namespace-ids.ts";
import type { MemoryPages, ReadMemory } from "./pages.ts";
import type { KeywordCandidate, VectorCandidate } from "./retriever.ts";
import { encodeTerm, termCounter } from "./terms.ts";

/**
 * A search that scans the whole namespace and compares all memories that pass: exact, in time proportional to the
 * namespace. For filters that no index supports.
 */
export class MemoryWalk {
  readonly #namespaces: Namespaces;
  readonly #pages: MemoryPages;
  readonly #model: VectorModel;

  constructor(namespaces: Namespaces, pages: MemoryPages, model: VectorModel) {
    this.#namespaces = namespaces;
    this.#pages = pages;
    this.#model = model;
  }

  async search(scope: NamespaceKey, query: CandidateQuery, now: number): Promise<Candidates> {
    const { vector, limit, terms = [] } = query;
    const corpus = await this.#corpus(scope, terms);
    const chosen = chooseTerms(terms, corpus);
    const isMatch = holdsOneOf(chosen, terms);
    const score = bm25(terms, corpus);
    const nearest = new Best<VectorCandidate>(limit, (near) => near.similarity);
    const containing = new Best<KeywordCandidate>(limit, ({ document }) => score(document));
    const fields = (generation: number): string[] => [vectorField(generation), "terms"];
    const count = termCounter(terms);
    let passed = 0;
    // Also when no page has memories: the caller must get ModelChanged.
    if (vector !== undefined) this.#model.check(query.model);
    for await (const page of this.#pages.walk(scope, { oldestFirst: false, fields })) {
      // The model may have changed with any page.
      if (vector !== undefined) this.#model.check(query.model);
      for (const one of page) {
        if (!matchesFilter(one.memory, query.filter, now)) continue;
        passed += 1;
        const candidate = candidateOf(one.memory);
        const near = vector === undefined ? undefined : similarityOf(vector, one);
        if (near !== undefined) nearest.add({ ...candidate, similarity: near });
        const document = count(textOf(one.fields[1]) ?? "");
        if (isMatch(document)) containing.add({ ...candidate, document });
      }
    }
    const eligible = { count: passed, basis: "COUNTED" } as const;
    return {
      byVector: nearest.take(),
      byKeyword: containing.take(),
      corpus,
      plan: {
        ...(vector === undefined ? {} : { vector: { policy: "EXACT", candidates: 0, eligible } }),
        ...keywordRetrieverPlan(terms, chosen, corpus),
        walked: true,
        rounds: 1,
      },
    };
  }

  async #corpus(scope: NamespaceKey, terms: readonly string[]): Promise<CorpusStatistics> {
    const nothing = { documentCount: 0, meanLength: 0, documentFrequencies: new Map() };
    if (terms.length === 0) return nothing;
    const replies = await this.#namespaces.pipeline(scope, ({ counters, documentFrequencies }) => [
      ["HMGET", counters, "memories", "terms"],
      ["HMGET", documentFrequencies, ...terms.map(encodeTerm)],
    ]);
    if (replies === undefined) return nothing;
    const [memories, words] = listOf(replies[0]).map(numberOf);
    const documentCount = memories ?? 0;
    const frequencies = listOf(replies[1]).map(numberOf);
    return {
      documentCount,
      meanLength: documentCount === 0 ? 0 : (words ?? 0) / documentCount,
      documentFrequencies: new Map(terms.map((term, at) => [term, frequencies[at] ?? 0])),
    };
  }
}

/** The best `limit` added items, by score; holds at most twice as many. */
class Best<Item> {
  readonly #limit: number;
  readonly #scoreOf: (item: Item) => number;
  #items: { readonly item: Item; readonly score: number }[] = [];

  constructor(limit: number, scoreOf: (item: Item) => number) {
    this.#limit = limit;
    this.#scoreOf = scoreOf;
  }

  add(item: Item): void {
    this.#items.push({ item, score: this.#scoreOf(item) });
    if (this.#items.length >= 2 * this.#limit + 1) this.#shorten();
  }

  /** The best first. */
  take(): Item[] {
    this.#shorten();
    return this.#items.map(({ item }) => item);
  }

  #shorten(): void {
    this.#items = this.#items.sort((a, b) => b.score - a.score).slice(0, this.#limit);
  }
}

/** Undefined for a missing vector, or one of another dimension. */
function similarityOf(vector: Float32Array, { fields }: ReadMemory): number | undefined {
  const bytes = bytesOf(fields[0]);
  if (bytes === undefined || bytes.length !== vector.byteLength) return undefined;
  return clampSimilarity(dot(vector, vectorFromBytes(bytes)));
}

function candidateOf(memory: Memory): RankingFields {
  return { id: memory.id, time: memory.eventTime ?? memory.createTime, importance: memory.importance };
}
