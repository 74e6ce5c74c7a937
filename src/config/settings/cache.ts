import { boolean, integer, number, text, word } from "../kinds.ts";
import { setting } from "../setting.ts";

/** The semantic cache. */
export const CACHE = {
  cacheEnabled: setting({
    env: "CACHE_ENABLED",
    yaml: "cache.enabled",
    kind: boolean,
    fallback: true,
    reloadable: true,
    description: "Whether answers are cached; when not, lookups miss and stores are refused.",
  }),
  cacheStrategy: setting({
    env: "CACHE_STRATEGY",
    yaml: "cache.strategy",
    kind: word("hybrid", "exact", "semantic"),
    fallback: "hybrid",
    reloadable: true,
    description: "How answers are found unless a call says otherwise.",
  }),
  cacheSimilarityThreshold: setting({
    env: "CACHE_SIMILARITY_THRESHOLD",
    yaml: "cache.similarity_threshold",
    kind: number(0, 1),
    fallback: undefined,
    unset: "by the model of the vectors: see docs/embedding.md",
    reloadable: true,
    description: "Cosine similarity from which on an answer is served by meaning.",
  }),
  cacheAlignedThreshold: setting({
    yaml: "cache.aligned_threshold",
    kind: number(0, 1),
    fallback: undefined,
    unset: "0.5, or similarity_threshold where that is lower",
    reloadable: true,
    description:
      "The same for prompts whose words all align. A pair in which the guard finds no conflict at any strictness may be below " +
      "similarity_threshold by 8 % of the difference. Equal to similarity_threshold switches both off.",
  }),
  cacheGuard: setting({
    env: "CACHE_GUARD",
    yaml: "cache.guard",
    kind: word("strict", "balanced", "closed", "off"),
    fallback: "balanced",
    reloadable: true,
    description:
      "How much the guard refuses of what is similar; a namespace may have its own (see docs/design/cache-lookup.md).",
  }),
  cacheDefaultTtl: setting({
    env: "CACHE_DEFAULT_TTL",
    yaml: "cache.default_ttl",
    kind: integer(1, 31_536_000),
    fallback: undefined,
    unset: "3600, or max_age where that is lower",
    reloadable: true,
    description: "Seconds an answer is served unless the call says otherwise.",
  }),
  cacheMaxAge: setting({
    yaml: "cache.max_age",
    kind: integer(1, 31_536_000),
    fallback: 86_400,
    reloadable: true,
    description: "Seconds after which no answer is served any more, whatever its TTL.",
  }),
  cacheMaxEntries: setting({
    env: "CACHE_MAX_ENTRIES",
    yaml: "cache.max_entries",
    kind: integer(1, 1_000_000),
    fallback: 10_000,
    reloadable: true,
    description: "Answers a namespace holds at most.",
  }),
  cacheMaxBytes: setting({
    env: "CACHE_MAX_BYTES",
    yaml: "cache.max_bytes",
    kind: integer(1, Number.MAX_SAFE_INTEGER),
    fallback: undefined,
    unset: "no bound on bytes",
    reloadable: true,
    description:
      "Bytes of answers, prompts, tags, metadata and vectors a namespace holds at most, without the overhead of the store.",
  }),
  cacheEvictionPolicy: setting({
    env: "CACHE_EVICTION_POLICY",
    yaml: "cache.eviction_policy",
    kind: word("adaptive", "lru", "lfu", "fifo", "ttl"),
    fallback: "adaptive",
    reloadable: true,
    description:
      "Which answer makes room in a full namespace: that which saves least (adaptive), was used longest ago (lru) or least often (lfu), was stored first (fifo) or expires next (ttl).",
  }),
  cacheAdaptiveTtl: setting({
    yaml: "cache.enable_adaptive_ttl",
    kind: boolean,
    fallback: true,
    reloadable: true,
    description:
      "Whether the TTL follows how fast an answer ages and how sure it is, and answers that should not be served to others are not stored.",
  }),
  cacheIndexName: setting({
    env: "CACHE_INDEX_NAME",
    yaml: "cache.index_name",
    kind: text,
    fallback: undefined,
    unset: "VECTOR_INDEX_NAME with :cache behind it",
    description: "Name of the search index of cache entries in Redis.",
  }),
};
