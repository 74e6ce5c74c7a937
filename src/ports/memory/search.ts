import type { NamespaceKey } from "../../domain/access/tenancy.ts";
import type { CorpusStatistics, DocumentTerms } from "../../domain/memory/bm25.ts";
import type { MemoryFilter } from "../../domain/memory/filter.ts";
import type { SearchPlan } from "../../domain/memory/search-plan.ts";
import type { EmbedderIdentity } from "../embedding/embedder.ts";

/** The query of the retrievers. At least one of `vector` and `terms` is present. */
export interface CandidateQuery {
  /** Query of the vector retriever; of unit length. */
  readonly vector?: Float32Array;
  /** The model that made the vector. Throws ModelChanged when the stored ones are of another. */
  readonly model?: EmbedderIdentity;
  /**
   * Query of the keyword retriever: distinct terms, as termsOf makes them. A store that cannot compare all memories that
   * contain one finds those that contain any of the terms that chooseTerms selects: a memory that contains only very common
   * words of the query may be missing.
   */
  readonly terms?: readonly string[];
  readonly filter: MemoryFilter;
  /** Most candidates of each retriever. */
  readonly limit: number;
}

/** The fields of a candidate that ranking reads. */
export interface RankingFields {
  readonly id: string;
  /** event_time or, failing that, create_time; milliseconds. */
  readonly time: number;
  readonly importance: number;
}

export interface Candidates {
  /** Matches of the vector retriever, nearest first. */
  readonly byVector: readonly (RankingFields & { readonly similarity: number })[];
  /** Matches of the keyword retriever, unordered; the caller scores them. */
  readonly byKeyword: readonly (RankingFields & { readonly document: DocumentTerms })[];
  /**
   * Statistics of all stored memories of the namespace, in any state, including expired ones until they are swept. All zero
   * for a query without terms.
   */
  readonly corpus: CorpusStatistics;
  /** How they were found. */
  readonly plan: SearchPlan;
}

/** Finds candidates for the ranking; see Memories. */
export interface CandidateSearch {
  /** The candidates of both retrievers; each passes the filter. */
  search(namespaceKey: NamespaceKey, query: CandidateQuery, now: number): Promise<Candidates>;

  /**
   * Vectors by memory id; undefined: no memory or no vector. Includes expired memories until they are swept. Throws
   * ModelChanged when the vectors are of another model than `model`.
   */
  vectors(
    namespaceKey: NamespaceKey,
    ids: readonly string[],
    model?: EmbedderIdentity,
  ): Promise<(Float32Array | undefined)[]>;
}
