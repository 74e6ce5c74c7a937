import type { NamespaceKey } from "../../domain/access/tenancy.ts";
import type { CorpusStatistics, DocumentTerms } from "../../domain/memory/bm25.ts";
import type { MemoryFilter } from "../../domain/memory/filter.ts";
import type { SearchPlan } from "../../domain/memory/search-plan.ts";
import type { EmbedderIdentity } from "../embedding/embedder.ts";

/** What a search asks of the retrievers. At least one of vector and terms is there. */
export interface CandidateQuery {
  /** Of unit length. Asks for the nearest memories. */
  readonly vector?: Float32Array;
  /** The model that made the vector. Throws ModelChanged when the stored ones are of another. */
  readonly model?: EmbedderIdentity;
  /**
   * Distinct terms, as termsOf makes them. Asks for memories that contain any of those that chooseTerms picks: a
   * memory that holds nothing but very common words of the query may be passed over.
   */
  readonly terms?: readonly string[];
  readonly filter: MemoryFilter;
  /** Candidates of each retriever, at most. */
  readonly limit: number;
}

/** What the ranking reads of a candidate. */
export interface RankingFields {
  readonly id: string;
  /** event_time or, failing that, create_time; milliseconds. */
  readonly time: number;
  readonly importance: number;
}

export interface Candidates {
  /** Of the vector retriever, nearest first. */
  readonly byVector: readonly (RankingFields & { readonly similarity: number })[];
  /** Of the keyword retriever: they contain terms of the query. In no set order; the caller scores them. */
  readonly byKeyword: readonly (RankingFields & { readonly document: DocumentTerms })[];
  /**
   * Of all memories that the store holds in the namespace: in any state, and expired ones until they are swept. All
   * zero when no terms were asked for.
   */
  readonly corpus: CorpusStatistics;
  /** How they were found. */
  readonly plan: SearchPlan;
}

/** Finds candidates, which the ranking puts in order; see Memories. */
export interface CandidateSearch {
  /** What both retrievers find; every candidate passes the filter. */
  search(scope: NamespaceKey, query: CandidateQuery, now: number): Promise<Candidates>;

  /**
   * Vectors by memory id; undefined where the store holds no memory or no vector. Expired ones count until swept. With a
   * `model`, throws ModelChanged when they are of another.
   */
  vectors(
    scope: NamespaceKey,
    ids: readonly string[],
    model?: EmbedderIdentity,
  ): Promise<(Float32Array | undefined)[]>;
}
