import { type NamespaceKey, namespaceKeyOf } from "../../domain/access/tenancy.ts";
import { isEmbedderFailure } from "../../domain/embedding/failure.ts";
import { ModelChanged } from "../../domain/embedding/identity.ts";
import { toUnit } from "../../domain/embedding/vector.ts";
import { memoryNotFound, modelIsChanging, RecollectError } from "../../domain/errors.ts";
import { bm25 } from "../../domain/memory/bm25.ts";
import type { MemoryFilter } from "../../domain/memory/filter.ts";
import { indexedText, type StoredMemory } from "../../domain/memory/memory.ts";
import { type Candidate, type Ranked, rank } from "../../domain/memory/ranking.ts";
import { retentionScore } from "../../domain/memory/retention.ts";
import type { SearchPlan } from "../../domain/memory/search-plan.ts";
import { termsOf } from "../../domain/text/terms.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Embedder, EmbedderIdentity } from "../../ports/embedding/embedder.ts";
import type { Log } from "../../ports/log.ts";
import type { AccessCounts } from "../../ports/memory/access-counts.ts";
import type { MemoryReader } from "../../ports/memory/reader.ts";
import type { CandidateSearch, Candidates } from "../../ports/memory/search.ts";
import type { Metrics } from "../../ports/metrics.ts";
import type { WorkQueue } from "../../ports/work-queue.ts";
import type { CallContext } from "../call.ts";
import { firstFitting, withNeighbors } from "./neighbors.ts";
import { neighborOptions, readPage } from "./search-page.ts";

export type SearchMode = "HYBRID" | "VECTOR" | "KEYWORD";

export type SearchQuery =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "vector"; readonly vector: Float32Array }
  | { readonly kind: "memory"; readonly id: string };

export interface SearchMemoriesInput {
  readonly namespace: string;
  readonly query: SearchQuery;
  readonly filter: MemoryFilter;
  readonly mode: SearchMode;
  /** 1 to 100. */
  readonly limit: number;
  readonly minSimilarity?: number;
  readonly recencyWeight: number;
  readonly importanceWeight: number;
  /** 0..1, how much results should differ from each other; see diversity.ts. */
  readonly diversity: number;
  /** Most neighbours of a result on each side, 0 to 5; see MemoryReader.neighbors. They do not count as accessed. */
  readonly neighbors: number;
  /**
   * How many of the first results fit into the answer, 0: the first one only without its neighbours; absent: all. The others are
   * left out and not counted as accessed.
   */
  readonly fitting?: (output: Omit<SearchMemoriesOutput, "truncated">) => number;
}

export interface FoundMemory {
  readonly memory: StoredMemory;
  readonly ranked: Ranked;
  /** Cosine similarity to the query; absent when either has no vector. */
  readonly similarity?: number;
  /** With diversity: see Chosen. */
  readonly redundancy?: number;
  /** See retention.ts; before this search counts as an access. */
  readonly retentionScore: number;
  /** Query terms that it contains, when the keyword retriever found it. */
  readonly matchedTerms: readonly string[];
  /** By position in the session; absent: not asked for. */
  readonly neighbors?: readonly StoredMemory[];
}

export interface SearchMemoriesOutput {
  readonly found: readonly FoundMemory[];
  /** Whether some were left out at the end, or the neighbours of the first, because they do not fit into the answer. */
  readonly truncated: boolean;
  readonly degraded: readonly ("VECTOR" | "KEYWORD")[];
  /** How the store found the candidates; absent when the query had neither vector nor terms. */
  readonly plan?: SearchPlan;
}

export interface SearchMemoriesPorts {
  readonly memories: {
    readonly reader: Pick<MemoryReader, "get" | "neighbors">;
    readonly search: CandidateSearch;
    readonly accessCounts: AccessCounts;
  };
  /** Undefined: vector search is switched off. */
  readonly embedder: Embedder | undefined;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly work: WorkQueue;
}

/**
 * Candidates of each retriever, unless more results are wanted. With 50 in place of 100 the quality of a page stays (LoCoMo,
 * nDCG@10: 50.3 and 50.3 with `local`, 49.6 and 49.7 with all-MiniLM-L6-v2; docs/design/search.md has the table), and a
 * HYBRID search takes half of the time.
 */
const CANDIDATES_PER_RETRIEVER = 50;
/** Further terms of a query are ignored. */
const MAX_QUERY_TERMS = 64;
/** Attempts when the model changes during a search; changes are rare. */
const MAX_ATTEMPTS = 3;

/**
 * Finds memories by vector, by keyword, or both; see ranking.ts for the order. Counts as an access to each on the page.
 */
export async function searchMemories(
  ports: SearchMemoriesPorts,
  input: SearchMemoriesInput,
  context: CallContext,
): Promise<SearchMemoriesOutput> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
    try {
      return await searchOnce(ports, input, context);
    } catch (error) {
      // The query was embedded before the model changed: embed it again with the current one.
      if (!(error instanceof ModelChanged)) throw error;
    }
  }
  throw modelIsChanging();
}

async function searchOnce(
  ports: SearchMemoriesPorts,
  input: SearchMemoriesInput,
  context: CallContext,
): Promise<SearchMemoriesOutput> {
  const now = ports.clock.now();
  const namespaceKey = namespaceKeyOf(context.caller, input.namespace);
  const queries = await prepareRetrievers(ports, namespaceKey, input, now, context.signal);

  // A query may consist of punctuation, a memory may have no vector: without vector and terms there are no results.
  if (queries.vector === undefined && queries.terms.length === 0) {
    return { found: [], truncated: false, degraded: queries.degraded };
  }

  const { ranked, plan } = await rankCandidates(ports, namespaceKey, { queries, input, now }, context);
  const options = { ...input, queries, now };
  const { page, memories, neighbors } = await readPage(ports, namespaceKey, ranked, options);
  const found = page.flatMap((one, index): FoundMemory[] => {
    const memory = memories[index];
    // Deleted between the two reads.
    if (memory === undefined) return [];
    return [
      {
        ...one,
        memory,
        matchedTerms: matchedTerms(one.ranked.candidate, queries.terms),
        retentionScore: retentionScore(memory, now),
      },
    ];
  });
  const beside = { degraded: queries.degraded, plan };
  const fitting = (results: readonly FoundMemory[]): number =>
    input.fitting?.({ ...beside, found: results }) ?? results.length;
  const { returned, truncated } =
    input.neighbors === 0
      ? firstFitting(found, fitting)
      : await withNeighbors(ports.memories.reader, namespaceKey, found, {
          first: neighbors,
          fitting,
          options: neighborOptions(options),
        });
  ports.memories.accessCounts.add(
    namespaceKey,
    returned.map(({ memory }) => memory.id),
    now,
  );
  return { ...beside, found: returned, truncated };
}

interface RetrieverQueries {
  readonly vector?: Float32Array;
  /** The model that made the vector. */
  readonly model?: EmbedderIdentity;
  readonly terms: readonly string[];
  readonly excludedId?: string;
  readonly degraded: readonly ("VECTOR" | "KEYWORD")[];
}

/** The query of each retriever. One that is unavailable is reported in `degraded` with HYBRID, and an error otherwise. */
async function prepareRetrievers(
  ports: SearchMemoriesPorts,
  namespaceKey: NamespaceKey,
  input: SearchMemoriesInput,
  now: number,
  signal: AbortSignal,
): Promise<RetrieverQueries> {
  const { query, mode } = input;
  if ((mode === "VECTOR" || input.diversity > 0) && ports.embedder === undefined) {
    throw new RecollectError("VECTOR_SEARCH_DISABLED", "vector search is switched off on this server");
  }
  if (query.kind === "vector") {
    const model = ports.embedder?.identity;
    const vector = checkedVector(query.vector, model?.dimension ?? 0);
    return { vector, ...(model === undefined ? {} : { model }), terms: [], degraded: [] };
  }
  if (query.kind === "memory") {
    const model = ports.embedder?.identity;
    const [[memory], [vector]] = await Promise.all([
      ports.memories.reader.get(namespaceKey, [query.id], now),
      ports.memories.search.vectors(namespaceKey, [query.id], model),
    ]);
    if (memory === undefined) throw memoryNotFound(namespaceKey.namespace, query.id);
    const terms = mode === "VECTOR" ? [] : queryTerms(indexedText(memory));
    const usable = mode === "KEYWORD" ? undefined : vector;
    return {
      ...(usable === undefined ? {} : { vector: usable }),
      ...(model === undefined ? {} : { model }),
      terms,
      excludedId: query.id,
      degraded: mode !== "KEYWORD" && usable === undefined ? ["VECTOR"] : [],
    };
  }
  const terms = mode === "VECTOR" ? [] : queryTerms(query.text);
  if (mode === "KEYWORD") return { terms, degraded: [] };
  if (ports.embedder === undefined) return { terms, degraded: ["VECTOR"] };
  try {
    // HYBRID can fall back to keywords, so it uses the short timeout of lookups.
    const urgency = mode === "VECTOR" ? "WRITE" : "LOOKUP";
    const [embedded] = await ports.embedder.embed([query.text], signal, urgency);
    if (embedded === undefined) return { terms, degraded: [] };
    const { vector, identity } = embedded;
    return { vector, ...(identity === undefined ? {} : { model: identity }), terms, degraded: [] };
  } catch (error) {
    if (mode === "VECTOR" || !isEmbedderFailure(error)) throw error;
    ports.log.warn({ err: error }, "search without its vector retriever: the embedder is unavailable");
    return { terms, degraded: ["VECTOR"] };
  }
}

function queryTerms(text: string): string[] {
  return [...new Set(termsOf(text))].slice(0, MAX_QUERY_TERMS);
}

function checkedVector(vector: Float32Array, expected: number): Float32Array {
  if (vector.length !== expected) {
    throw new RecollectError(
      "VECTOR_DIMENSION_MISMATCH",
      `query.vector has ${vector.length} numbers; this server's vectors have ${expected}`,
      {
        metadata: { expected_dimension: String(expected), actual_bytes: String(vector.byteLength) },
        violations: [{ field: "query.vector", description: `must hold ${expected} float32 numbers` }],
      },
    );
  }
  const unit = toUnit(vector);
  if (unit === undefined) {
    throw new RecollectError("VECTOR_INVALID", "query.vector must be finite and not all zeros", {
      metadata: { field: "query.vector" },
      violations: [{ field: "query.vector", description: "must be finite and not all zeros" }],
    });
  }
  return unit;
}

/**
 * Queues the search and ranks its candidates, best first. A function of its own, so that the candidates can be collected
 * while their memories are read.
 */
async function rankCandidates(
  ports: SearchMemoriesPorts,
  namespaceKey: NamespaceKey,
  {
    queries,
    input,
    now,
  }: { readonly queries: RetrieverQueries; readonly input: SearchMemoriesInput; readonly now: number },
  { deadline, signal }: Pick<CallContext, "deadline" | "signal">,
): Promise<{ readonly ranked: readonly Ranked[]; readonly plan: SearchPlan }> {
  const candidates = await ports.work.run(
    { tenant: namespaceKey.tenant, kind: "SEARCH", deadline },
    signal,
    () => timedSearch(ports, namespaceKey, queries, { ...input, now }),
  );
  const merged = mergeCandidates(candidates, queries.terms).filter(({ id }) => id !== queries.excludedId);
  // minSimilarity and diversity are applied later and may remove any of them.
  const limit = input.minSimilarity === undefined && input.diversity === 0 ? input.limit : undefined;
  return { ranked: rank(merged, { ...input, now }, limit), plan: candidates.plan };
}

async function timedSearch(
  ports: SearchMemoriesPorts,
  namespaceKey: NamespaceKey,
  queries: RetrieverQueries,
  { filter, limit, now }: Pick<SearchMemoriesInput, "filter" | "limit"> & { readonly now: number },
): Promise<Candidates> {
  const start = performance.now();
  const candidates = await ports.memories.search.search(
    namespaceKey,
    {
      ...(queries.vector === undefined ? {} : { vector: queries.vector }),
      ...(queries.model === undefined ? {} : { model: queries.model }),
      ...(queries.terms.length === 0 ? {} : { terms: queries.terms }),
      filter,
      // The excluded memory may be one of them.
      limit: Math.max(CANDIDATES_PER_RETRIEVER, limit) + (queries.excludedId === undefined ? 0 : 1),
    },
    now,
  );
  if (queries.vector !== undefined) ports.metrics.vectorSearch(performance.now() - start);
  return candidates;
}

/** One candidate for each memory, with the results of both retrievers. */
function mergeCandidates({ byVector, byKeyword, corpus }: Candidates, terms: readonly string[]): Candidate[] {
  const score = bm25(terms, corpus);
  const merged = new Map<string, Candidate>();
  for (const { id, time, importance, similarity } of byVector) {
    merged.set(id, { id, time, importance, similarity, bm25: undefined, document: undefined });
  }
  for (const { id, time, importance, document } of byKeyword) {
    const similarity = merged.get(id)?.similarity;
    merged.set(id, { id, time, importance, similarity, bm25: score(document), document });
  }
  return [...merged.values()];
}

function matchedTerms({ document }: Candidate, terms: readonly string[]): string[] {
  return document === undefined ? [] : terms.filter((_, at) => (document.counts[at] ?? 0) > 0);
}
