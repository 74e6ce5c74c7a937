import { boolean, integer, type Kind, text, word } from "../kinds.ts";
import { setting } from "../setting.ts";

const METRICS = word("COSINE");

const metric: Kind<"COSINE"> = {
  ...METRICS,
  hint: (given) =>
    /^(l2|ip)$/i.test(given.trim())
      ? "thresholds, scores and calibration are cosine similarities and would mean nothing with another metric"
      : undefined,
};

/** Backend, data directory and vector search. */
export const STORAGE = {
  backend: setting({
    env: "MEMORY_BACKEND",
    yaml: "memory.backend",
    kind: word("embedded", "redis"),
    fallback: undefined,
    unset: "redis if REDIS_HOST or REDIS_URL is set, else embedded",
    description: "Where data lies: in one SQLite file below DATA_DIR, or in Redis.",
  }),
  maxRevisions: setting({
    env: "MEMORY_MAX_REVISIONS",
    yaml: "memory.max_revisions",
    kind: integer(0, 1000),
    fallback: 20,
    description: "Earlier versions of a memory that are kept; 0: none.",
  }),
  vectorSearch: setting({
    env: "ENABLE_VECTOR_SEARCH",
    yaml: "vector_search.enabled",
    yamlToo: "memory.enable_vector_search",
    kind: boolean,
    fallback: true,
    description:
      "Whether texts are embedded and searched by meaning; false leaves keywords and the exact cache.",
  }),
  vectorDimension: setting({
    env: "VECTOR_DIM",
    yaml: "vector_search.dimension",
    kind: integer(1, 4096),
    fallback: undefined,
    unset: "1536 with EMBEDDING_PROVIDER=openai, 256 with local, 384 with hashing",
    description: "Numbers in a vector; those of local have 256.",
  }),
  vectorIndexName: setting({
    env: "VECTOR_INDEX_NAME",
    yaml: "vector_search.index_name",
    kind: text,
    fallback: "idx:memory",
    description: "Name of the search index of memories in Redis.",
  }),
  vectorMetric: setting({
    yaml: "vector_search.distance_metric",
    kind: metric,
    fallback: "COSINE",
    description: "How vectors are compared; always by cosine similarity.",
  }),
  vectorAlgorithm: setting({
    yaml: "vector_search.algorithm",
    kind: word("HNSW", "FLAT"),
    fallback: "HNSW",
    description: "How the index searches vectors: in a graph, or exactly.",
  }),
  hnswM: setting({
    yaml: "vector_search.hnsw_m",
    kind: integer(2, 512),
    fallback: 16,
    description: "Edges of a vector in the graph of the Redis index.",
  }),
  hnswEfConstruction: setting({
    yaml: "vector_search.hnsw_ef_construction",
    kind: integer(4, 4096),
    fallback: 200,
    description: "Candidates that are weighed when a vector enters the graph of the Redis index.",
  }),
  hnswEfRuntime: setting({
    yaml: "vector_search.hnsw_ef_runtime",
    kind: integer(1, 4096),
    fallback: 64,
    description: "Candidates that a search of the Redis index follows; more finds better and takes longer.",
  }),
};
