import type { NamespaceKey } from "../../../domain/access/tenancy.ts";
import { clampSimilarity } from "../../../domain/embedding/vector.ts";
import type { CorpusStatistics } from "../../../domain/memory/bm25.ts";
import type { MemoryFilter } from "../../../domain/memory/filter.ts";
import { EMPTY_PLAN, keywordRetrieverPlan, type SearchPlan } from "../../../domain/memory/search-plan.ts";
import type { EmbedderIdentity } from "../../../ports/embedding/embedder.ts";
import type { CandidateQuery, CandidateSearch, Candidates } from "../../../ports/memory/search.ts";
import { decodeVector } from "../database/checksums.ts";
import type { Database } from "../database/database.ts";
import type { KeywordIndex } from "../keywords/keyword-index.ts";
import type { KeywordMatches } from "../keywords/keyword-table.ts";
import { isDefaultFilter, memoryCondition, passesMost } from "../keywords/row-filter.ts";
import type { NamespaceIds } from "../namespaces/namespace-ids.ts";
import type { MemoryVectors } from "../vectors/memory-vectors.ts";
import type { Nearest } from "../vectors/vector-index.ts";
import type { VectorModel } from "../vectors/vector-model.ts";
import type { EmbeddedAccessCounts } from "./access-counts.ts";

const EMPTY_CORPUS: CorpusStatistics = { documentCount: 0, meanLength: 0, documentFrequencies: new Map() };

/** Of the best matches by words, so many times as many as are wanted are tested before all rows that pass are read. */
const TESTED_FIRST = 4;

export interface CandidateSearchParts {
  readonly database: Database;
  readonly namespaces: NamespaceIds;
  /** The model of the stored vectors. */
  readonly model: VectorModel;
  readonly vectors: MemoryVectors;
  readonly keywords: KeywordIndex;
  readonly accessCounts: EmbeddedAccessCounts;
}

/** Candidates from the vector indexes and keyword tables in memory. */
export class EmbeddedCandidateSearch implements CandidateSearch {
  readonly #parts: CandidateSearchParts;

  constructor(parts: CandidateSearchParts) {
    this.#parts = parts;
  }

  async search(scope: NamespaceKey, query: CandidateQuery, now: number): Promise<Candidates> {
    const { namespaces, model, accessCounts } = this.#parts;
    const namespaceId = namespaces.find(scope);
    if (namespaceId === undefined) {
      return { byVector: [], byKeyword: [], corpus: EMPTY_CORPUS, plan: EMPTY_PLAN };
    }
    await accessCounts.flushFor(query.filter);
    if (query.vector !== undefined) model.check(query.model);
    const { vector, filter } = query;
    const isRead = vector !== undefined && !isDefaultFilter(filter) && !passesMost(filter);
    const rows = isRead ? this.#passing(namespaceId, filter, now) : undefined;
    const near = vector && this.#byVector(namespaceId, { ...query, vector }, { rows, now });
    const { found, corpus, retrieving, rounds } = this.#byKeyword(namespaceId, query, { rows, now });
    return {
      byVector: (near?.found ?? []).map(({ fields, similarity }) => ({
        ...fields,
        similarity: clampSimilarity(similarity),
      })),
      byKeyword: found.map(({ fields, document }) => ({ ...fields, document })),
      corpus,
      plan: {
        ...(near === undefined ? {} : { vector: near.plan }),
        ...keywordRetrieverPlan(query.terms ?? [], retrieving, corpus),
        walked: false,
        rounds: Math.max(near?.rounds ?? 1, rounds),
      },
    };
  }

  async vectors(
    scope: NamespaceKey,
    ids: readonly string[],
    model?: EmbedderIdentity,
  ): Promise<(Float32Array | undefined)[]> {
    this.#parts.model.check(model);
    const namespaceId = this.#parts.namespaces.find(scope);
    if (namespaceId === undefined) return ids.map(() => undefined);
    return ids.map((id) => this.#vectorOf(namespaceId, id));
  }

  #vectorOf(namespaceId: number, id: string): Float32Array | undefined {
    const { database, vectors } = this.#parts;
    const found = database.first("SELECT row FROM memory WHERE namespace_id = ? AND id = ?", namespaceId, id);
    if (found === undefined) return undefined;
    const row = Number(found["row"]);
    const indexed = vectors.get(namespaceId, row);
    if (indexed !== undefined) return indexed;
    const stored = database.first("SELECT vector FROM memory_vector WHERE row = ?", row);
    return stored === undefined ? undefined : decodeVector(stored["vector"], `the vector of memory ${id}`);
  }

  #byVector(
    namespaceId: number,
    { vector, filter, limit }: CandidateQuery & { readonly vector: Float32Array },
    { rows, now }: Eligible,
  ): Nearest {
    const index = this.#parts.vectors.open(namespaceId);
    if (isDefaultFilter(filter)) return index.nearestDefault(vector, limit, now);
    const passing = (some?: readonly number[]): number[] => this.#passing(namespaceId, filter, now, some);
    const near = rows === undefined ? index.nearestOfMost(vector, limit, passing) : undefined;
    return near ?? index.nearestOf(rows ?? passing(), vector, limit);
  }

  #byKeyword(
    namespaceId: number,
    { terms = [], filter, limit }: CandidateQuery,
    { rows, now }: Eligible,
  ): KeywordCandidates {
    if (terms.length === 0) return { found: [], retrieving: [], corpus: EMPTY_CORPUS, rounds: 1 };
    const table = this.#parts.keywords.tables.open(namespaceId);
    const corpus = table.corpus(terms);
    if (isDefaultFilter(filter)) {
      return { ...table.bestDefault(terms, corpus, { limit, now }), corpus, rounds: 1 };
    }
    if (rows !== undefined) return { ...table.best(terms, corpus, { limit, rows }), corpus, rounds: 1 };
    // Testing the best matches is sooner than reading all rows that pass, unless few of them pass.
    const tested = TESTED_FIRST * limit;
    const best = table.best(terms, corpus, { limit: tested });
    const passing = new Set(
      this.#passing(
        namespaceId,
        filter,
        now,
        best.found.map(({ row }) => row),
      ),
    );
    const found = best.found.filter(({ row }) => passing.has(row)).slice(0, limit);
    if (found.length === limit || best.found.length < tested) return { ...best, found, corpus, rounds: 1 };
    const all = this.#passing(namespaceId, filter, now);
    return { ...table.best(terms, corpus, { limit, rows: all }), corpus, rounds: 2 };
  }

  /** The rows that pass a filter, of the given ones or all. */
  #passing(namespaceId: number, filter: MemoryFilter, now: number, rows?: readonly number[]): number[] {
    const condition = memoryCondition(namespaceId, filter, now);
    const from = rows === undefined ? "memory m" : "json_each(?) j CROSS JOIN memory m ON m.row = j.value";
    const found = this.#parts.database.all(
      `SELECT m.row FROM ${from} WHERE ${condition.sql}`,
      ...(rows === undefined ? [] : [JSON.stringify(rows)]),
      ...condition.values,
    );
    return found.map((row) => Number(row["row"]));
  }
}

interface KeywordCandidates extends KeywordMatches, Pick<SearchPlan, "rounds"> {
  readonly corpus: CorpusStatistics;
}

/** The rows that pass the filter; undefined: not read, because most pass or because there is no vector. */
interface Eligible {
  readonly rows: readonly number[] | undefined;
  readonly now: number;
}
