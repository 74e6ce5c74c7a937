import type { NamespaceKey } from "../../domain/access/tenancy.ts";
import { clampSimilarity, dot } from "../../domain/embedding/vector.ts";
import type { MemoryFilter } from "../../domain/memory/filter.ts";
import type { StoredMemory } from "../../domain/memory/memory.ts";
import { neighborFilter } from "../../domain/memory/neighbors.ts";
import type { Ranked } from "../../domain/memory/ranking.ts";
import type { EmbedderIdentity } from "../../ports/embedding/embedder.ts";
import type { MemoryReader, NeighborOptions } from "../../ports/memory/reader.ts";
import type { CandidateSearch } from "../../ports/memory/search.ts";
import { diversePage } from "./diverse-page.ts";
import { type NeighborsById, readNeighbors } from "./neighbors.ts";

/**
 * Neighbours that are read at once, bytes as stored: those of a page of usual memories in one round trip, and of the largest
 * not much more than fit into the answer.
 */
const NEIGHBOR_BYTES = 4 * 1024 * 1024;

export interface PagePorts {
  readonly memories: {
    readonly reader: Pick<MemoryReader, "get" | "neighbors">;
    readonly search: CandidateSearch;
  };
}

/** What makes a page of the ranking; see SearchMemoriesInput. */
export interface PageOptions {
  readonly limit: number;
  readonly minSimilarity?: number;
  readonly diversity: number;
  readonly neighbors: number;
  readonly filter: MemoryFilter;
  readonly now: number;
  /** Of the query; see RetrieverQueries. */
  readonly queries: { readonly vector?: Float32Array; readonly model?: EmbedderIdentity };
}

/** The page of a search. */
export interface RankedPage {
  readonly page: readonly Similar[];
  /** In the order of `page`; undefined: deleted in between. */
  readonly memories: readonly (StoredMemory | undefined)[];
  /** By id, of the first of `page`; see MemoryReader. */
  readonly neighbors: NeighborsById;
}

/** Reads similarities, memories and neighbours of the page: together, unless minSimilarity or diversity has to choose first. */
export async function readPage(
  ports: PagePorts,
  namespaceKey: NamespaceKey,
  ranked: readonly Ranked[],
  options: PageOptions,
): Promise<RankedPage> {
  const { queries, limit, minSimilarity: floor, diversity, now } = options;
  const { reader } = ports.memories;
  /** Both in one round trip. */
  const read = async (page: readonly Ranked[]) => {
    const ids = page.map(({ candidate }) => candidate.id);
    const [memories, neighbors] = await Promise.all([
      reader.get(namespaceKey, ids, now),
      options.neighbors === 0
        ? new Map()
        : readNeighbors(reader, namespaceKey, ids, neighborOptions(options)),
    ]);
    return { memories, neighbors };
  };
  if (diversity > 0) {
    const page = await diversePage(ports.memories.search, namespaceKey, ranked, {
      ...{ diversity, limit, query: queries.vector, model: queries.model },
      ...(floor === undefined ? {} : { minSimilarity: floor }),
    });
    return { page, ...(await read(page.map((one) => one.ranked))) };
  }
  if (floor === undefined) {
    const [page, found] = await Promise.all([
      withSimilarity(ports.memories.search, namespaceKey, ranked, queries),
      read(ranked),
    ]);
    return { page, ...found };
  }
  // minSimilarity applies also to memories that only the keyword retriever found.
  const similar = await withSimilarity(ports.memories.search, namespaceKey, ranked, queries);
  const page = similar
    .filter(({ similarity }) => similarity !== undefined && similarity >= floor)
    .slice(0, limit);
  return { page, ...(await read(page.map((one) => one.ranked))) };
}

export function neighborOptions({
  neighbors,
  filter,
  now,
}: Pick<PageOptions, "neighbors" | "filter" | "now">): NeighborOptions {
  return { filter: neighborFilter(filter), count: neighbors, maxBytes: NEIGHBOR_BYTES, now };
}

interface Similar {
  readonly ranked: Ranked;
  readonly similarity?: number;
  readonly redundancy?: number;
}

/** Adds the similarity of memories that only the keyword retriever found. */
async function withSimilarity(
  search: CandidateSearch,
  namespaceKey: NamespaceKey,
  ranked: readonly Ranked[],
  { vector: query, model }: PageOptions["queries"],
): Promise<Similar[]> {
  if (query === undefined) return ranked.map((one) => ({ ranked: one }));
  const missing = ranked.map((one) => one.candidate).filter(({ similarity }) => similarity === undefined);
  const ids = missing.map(({ id }) => id);
  const vectors = ids.length === 0 ? [] : await search.vectors(namespaceKey, ids, model);
  const computed = new Map(
    ids.flatMap((id, index) => {
      const vector = vectors[index];
      return vector === undefined ? [] : [[id, clampSimilarity(dot(query, vector))] as const];
    }),
  );
  return ranked.map((one) => {
    const similarity = one.candidate.similarity ?? computed.get(one.candidate.id);
    return { ranked: one, ...(similarity === undefined ? {} : { similarity }) };
  });
}
