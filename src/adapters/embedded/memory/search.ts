import type { NamespaceKey } from "../../../domain/access/tenancy.ts";
import { clampSimilarity } from "../../../domain/embedding/vector.ts";
import { type CorpusStatistics, chooseTerms } from "../../../domain/memory/bm25.ts";
import { EMPTY_PLAN, keywordRetrieverPlan } from "../../../domain/memory/search-plan.ts";
import type { EmbedderIdentity } from "../../../ports/embedding/embedder.ts";
import type { CandidateQuery, CandidateSearch, Candidates } from "../../../ports/memory/search.ts";
import { decodeVector } from "../database/checksums.ts";
import type { Database, Row } from "../database/database.ts";
import type { KeywordIndex } from "../keywords/keyword-index.ts";
import { isDefaultFilter, memoryCondition, passesMost } from "../keywords/row-filter.ts";
import { termCounter } from "../keywords/terms.ts";
import type { NamespaceIds } from "../namespaces/namespace-ids.ts";
import { type MemoryVectors, rankingFieldsOf } from "../vectors/memory-vectors.ts";
import type { Nearest } from "../vectors/vector-index.ts";
import type { VectorModel } from "../vectors/vector-model.ts";
import type { EmbeddedAccessCounts } from "./access-counts.ts";

const EMPTY_CORPUS: CorpusStatistics = { documentCount: 0, meanLength: 0, documentFrequencies: new Map() };

export interface CandidateSearchParts {
  readonly database: Database;
  readonly namespaces: NamespaceIds;
  /** The model of the stored vectors. */
  readonly model: VectorModel;
  readonly vectors: MemoryVectors;
  readonly keywords: KeywordIndex;
  readonly accessCounts: EmbeddedAccessCounts;
}

/** Candidates from the vector indexes in memory and from FTS5. */
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
    const near = query.vector && this.#byVector(namespaceId, query, query.vector, now);
    const { byKeyword, corpus, asked } = this.#byKeyword(namespaceId, query, now);
    return {
      byVector: (near?.found ?? []).map(({ fields, similarity }) => ({
        ...fields,
        similarity: clampSimilarity(similarity),
      })),
      byKeyword,
      corpus,
      plan: {
        ...(near === undefined ? {} : { vector: near.plan }),
        ...keywordRetrieverPlan(query.terms ?? [], asked, corpus),
        walked: false,
        rounds: near?.rounds ?? 1,
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
    return ids.map((id) => {
      const row = this.#parts.database.first(
        `SELECT v.vector FROM memory m JOIN memory_vector v ON v.row = m.row
         WHERE m.namespace_id = ? AND m.id = ?`,
        namespaceId,
        id,
      );
      return row === undefined ? undefined : decodeVector(row["vector"], `the vector of memory ${id}`);
    });
  }

  #byVector(namespaceId: number, query: CandidateQuery, vector: Float32Array, now: number): Nearest {
    const { database, vectors } = this.#parts;
    const index = vectors.open(namespaceId);
    if (isDefaultFilter(query.filter)) return index.nearestDefault(vector, query.limit, now);
    const { sql, values } = memoryCondition(namespaceId, query.filter, now);
    const rowsOf = (rows: readonly Row[]): number[] => rows.map((row) => Number(row["row"]));
    const passing = (rows: readonly number[]): number[] => {
      const among = "json_each(?) j CROSS JOIN memory m ON m.row = j.value";
      return rowsOf(database.all(`SELECT m.row FROM ${among} WHERE ${sql}`, JSON.stringify(rows), ...values));
    };
    const near = passesMost(query.filter) ? index.nearestOfMost(vector, query.limit, passing) : undefined;
    if (near !== undefined) return near;
    const rows = rowsOf(database.all(`SELECT m.row FROM memory m WHERE ${sql}`, ...values));
    return index.nearestOf(rows, vector, query.limit);
  }

  #byKeyword(
    namespaceId: number,
    query: CandidateQuery,
    now: number,
  ): Pick<Candidates, "byKeyword" | "corpus"> & { readonly asked: readonly string[] } {
    const { keywords } = this.#parts;
    const terms = query.terms ?? [];
    if (terms.length === 0) return { byKeyword: [], corpus: EMPTY_CORPUS, asked: [] };
    const corpus = keywords.corpus(namespaceId, terms);
    const asked = chooseTerms(terms, corpus);
    const count = termCounter(namespaceId, terms);
    const rows = asked.length === 0 ? [] : keywords.candidates(namespaceId, asked, corpus, query, now);
    return {
      byKeyword: rows.map((row) => ({
        ...rankingFieldsOf(row),
        document: count(String(row["terms"])),
      })),
      corpus,
      asked,
    };
  }
}
