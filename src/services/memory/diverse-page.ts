import type { NamespaceKey } from "../../domain/access/tenancy.ts";
import { clampSimilarity, dot } from "../../domain/embedding/vector.ts";
import { diversify } from "../../domain/memory/diversity.ts";
import type { Ranked } from "../../domain/memory/ranking.ts";
import type { EmbedderIdentity } from "../../ports/embedding/embedder.ts";
import type { CandidateSearch } from "../../ports/memory/search.ts";

/**
 * The best of the ranking among which the results are chosen: one round trip reads the vectors of all, and each choice
 * compares all that are left.
 */
const POOL = 100;

export interface DiverseResult {
  readonly ranked: Ranked;
  /** Cosine similarity to the query; absent when either has no vector. */
  readonly similarity?: number;
  /** See Chosen. */
  readonly redundancy: number;
}

/** Chooses results that differ from each other: see diversity.ts. Those below `minSimilarity` are left out before. */
export async function diversePage(
  search: Pick<CandidateSearch, "vectors">,
  namespaceKey: NamespaceKey,
  ranked: readonly Ranked[],
  options: {
    readonly diversity: number;
    readonly limit: number;
    readonly minSimilarity?: number;
    /** Of the query; undefined: it has none. */
    readonly query: Float32Array | undefined;
    readonly model: EmbedderIdentity | undefined;
  },
): Promise<DiverseResult[]> {
  const { diversity, limit, minSimilarity: floor, query, model } = options;
  const pool = ranked.slice(0, POOL);
  const ids = pool.map(({ candidate }) => candidate.id);
  const vectors = await search.vectors(namespaceKey, ids, model);
  const similar = pool.map((one, at) => {
    const vector = vectors[at];
    const computed = query === undefined || vector === undefined ? undefined : dot(query, vector);
    const similarity =
      one.candidate.similarity ?? (computed === undefined ? undefined : clampSimilarity(computed));
    return { ranked: one, score: one.score, vector, similarity };
  });
  const passing =
    floor === undefined
      ? similar
      : similar.filter(({ similarity }) => similarity !== undefined && similarity >= floor);
  return diversify(passing, diversity, limit).map(({ one, redundancy }) => ({
    ranked: one.ranked,
    ...(one.similarity === undefined ? {} : { similarity: one.similarity }),
    redundancy,
  }));
}
