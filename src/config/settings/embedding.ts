import { httpUrl, integer, number, text, word } from "../kinds.ts";
import { setting } from "../setting.ts";

/** The embedding provider. */
export const EMBEDDING = {
  embeddingProvider: setting({
    env: "EMBEDDING_PROVIDER",
    yaml: "embedding.provider",
    kind: word("openai", "local", "hashing"),
    fallback: undefined,
    unset: "openai if EMBEDDING_API_KEY or EMBEDDING_API_BASE is set, else local",
    description:
      "What makes the vectors: any server that speaks OpenAI's API (openai), or what comes with the service: local, which finds meaning, or hashing, which finds wording. A store made with hashing keeps it while nothing is said here.",
  }),
  embeddingModel: setting({
    env: "EMBEDDING_MODEL",
    yaml: "embedding.model",
    kind: text,
    fallback: "text-embedding-ada-002",
    description: "The model that openai is asked for.",
  }),
  embeddingApiKey: setting({
    env: "EMBEDDING_API_KEY",
    yaml: "embedding.api_key",
    kind: text,
    fallback: undefined,
    secret: "all",
    description: "Key of the embedding service.",
  }),
  embeddingApiBase: setting({
    env: "EMBEDDING_API_BASE",
    yaml: "embedding.api_base",
    kind: httpUrl,
    fallback: undefined,
    unset: "https://api.openai.com/v1",
    description: "Address of the embedding service.",
  }),
  embeddingApiVersion: setting({
    env: "EMBEDDING_API_VERSION",
    yaml: "embedding.api_version",
    kind: text,
    fallback: undefined,
    unset: "none is sent",
    description:
      "The api-version parameter of Azure OpenAI, such as 2024-10-21; its v1 endpoint needs none. With it, and at an address of Azure, the key is sent as api-key.",
  }),
  embeddingEncodingFormat: setting({
    env: "EMBEDDING_ENCODING_FORMAT",
    yaml: "embedding.encoding_format",
    kind: word("auto", "send", "omit", "base64", "float"),
    fallback: "auto",
    description:
      "How vectors are asked for: auto is base64, and float from then on when the service refuses or ignores that; send and base64 always ask for base64, float for numbers, omit sends no encoding_format. Either is read.",
  }),
  embeddingDimensions: setting({
    env: "EMBEDDING_DIMENSIONS",
    yaml: "embedding.dimensions",
    kind: word("auto", "send", "omit"),
    fallback: "auto",
    description:
      "Whether VECTOR_DIM is sent as dimensions: auto sends it for text-embedding-3 models until the service refuses it; send and omit do always and never.",
  }),
  embeddingCacheTtl: setting({
    env: "EMBEDDING_CACHE_TTL",
    yaml: "embedding.cache_ttl",
    kind: integer(0, 31_536_000),
    fallback: 86_400,
    description: "Seconds a vector is kept for the same text; 0 keeps none.",
  }),
  embeddingBatchSize: setting({
    env: "EMBEDDING_BATCH_SIZE",
    yaml: "embedding.batch_size",
    kind: integer(1, 2048),
    fallback: 100,
    description: "Texts in one request at most.",
  }),
  embeddingMaxRetries: setting({
    yaml: "embedding.max_retries",
    kind: integer(0, 10),
    fallback: 3,
    description: "How often a request that failed is repeated.",
  }),
  embeddingTimeout: setting({
    yaml: "embedding.timeout",
    kind: number(0.1, 600),
    fallback: 30,
    description: "Seconds to wait for the embedding service.",
  }),
};
