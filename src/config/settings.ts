import { z } from "zod";

/**
 * One setting: where it is read from, what it may be, and what it is when nobody says. The schema takes the text
 * of an environment variable; a YAML scalar is turned into text first, so that both mean the same.
 */
export interface Setting<T> {
  readonly env?: string;
  /** Path in config/memory_config.yaml, such as `cache.default_ttl`. */
  readonly yaml?: string;
  readonly schema: z.ZodType<T, string>;
  /** Undefined: no default, and the value may be absent. */
  readonly fallback: T | undefined;
  readonly description: string;
}

function setting<T>(
  source: { readonly env?: string; readonly yaml?: string },
  schema: z.ZodType<T, string>,
  fallback: T,
  description: string,
): Setting<T> & { readonly fallback: T } {
  return { ...source, schema, fallback, description };
}

function optional<T>(
  source: { readonly env?: string; readonly yaml?: string },
  schema: z.ZodType<T, string>,
  description: string,
): Setting<T> & { readonly fallback: undefined } {
  return { ...source, schema, fallback: undefined, description };
}

const text = z.string().min(1);
const port = integer(0, 65_535);
const boolean = z.stringbool({ truthy: ["true", "yes", "on", "1"], falsy: ["false", "no", "off", "0"] });
const share = number(0, 1);

function integer(min: number, max: number): z.ZodType<number, string> {
  return z
    .string()
    .trim()
    .regex(/^[+-]?\d+$/, "must be a whole number")
    .transform(Number)
    .pipe(z.number().min(min).max(max));
}

function number(min: number, max: number): z.ZodType<number, string> {
  return z
    .string()
    .trim()
    .regex(/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i, "must be a number")
    .transform(Number)
    .pipe(z.number().min(min).max(max));
}

/** One of the given words, in any case. */
function word<const T extends string>(...words: readonly [T, ...T[]]): z.ZodType<T, string> {
  return z.string().trim().toLowerCase().pipe(z.enum(words)) as unknown as z.ZodType<T, string>;
}

/** LOG_LEVEL in any case, with the names that Python's logging uses. */
const logLevel = z
  .string()
  .trim()
  .toLowerCase()
  .transform((level) => ({ warning: "warn", critical: "fatal", notset: "trace" })[level] ?? level)
  .pipe(z.enum(["trace", "debug", "info", "warn", "error", "fatal"]));

const list = z.string().transform((value) =>
  value
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== ""),
);

/** Every setting there is. config.ts makes the Config of them. */
export const SETTINGS = {
  environment: setting(
    { env: "ENVIRONMENT" },
    text,
    "development",
    "A name for where this runs; appears in the log.",
  ),
  logLevel: setting({ env: "LOG_LEVEL" }, logLevel, "info", "Least severe level that is logged."),
  logFormat: optional(
    { env: "LOG_FORMAT" },
    word("json", "text"),
    "How log lines look. Default: text on a terminal, else json.",
  ),
  logFile: optional({ env: "LOG_FILE" }, text, "Also write the log to this file, such as logs/app.log."),
  grpcHost: optional(
    { env: "GRPC_HOST" },
    text,
    "Address the gRPC door binds. Default: 127.0.0.1 with AUTH_MODE=none, else 0.0.0.0.",
  ),
  grpcPort: setting({ env: "GRPC_PORT" }, port, 50_051, "Port of the gRPC door; 0 takes a free one."),
  httpHost: optional(
    { env: "HTTP_HOST" },
    text,
    "Address the HTTP door binds. Default: 127.0.0.1 with AUTH_MODE=none, else 0.0.0.0.",
  ),
  httpPort: setting({ env: "HTTP_PORT" }, port, 8000, "Port of the HTTP door; 0 takes a free one."),
  httpCorsOrigins: setting(
    { env: "HTTP_CORS_ORIGINS" },
    list,
    [] as string[],
    "Origins that browsers may call from, separated by commas; * for all. Default: none.",
  ),
  authMode: setting({ env: "AUTH_MODE" }, word("none"), "none", "How callers are authenticated."),
  allowUnauthenticated: setting(
    { env: "ALLOW_UNAUTHENTICATED" },
    boolean,
    false,
    "Lets AUTH_MODE=none bind addresses that other machines reach.",
  ),
  backend: setting(
    { env: "MEMORY_BACKEND", yaml: "memory.backend" },
    word("embedded"),
    "embedded",
    "Where data lies.",
  ),
  dataDir: setting({ env: "DATA_DIR" }, text, "./data", "Directory of the embedded store."),
  vectorSearch: setting(
    { env: "ENABLE_VECTOR_SEARCH", yaml: "vector_search.enabled" },
    boolean,
    true,
    "Whether texts are embedded and searched by meaning.",
  ),
  vectorDimension: optional(
    { env: "VECTOR_DIM", yaml: "vector_search.dimension" },
    integer(1, 4096),
    "Numbers in a vector. Default: 1536 with the provider openai, 384 with hashing.",
  ),
  embeddingProvider: setting(
    { env: "EMBEDDING_PROVIDER", yaml: "embedding.provider" },
    word("hashing", "openai"),
    "hashing",
    "What makes the vectors.",
  ),
  embeddingModel: setting(
    { env: "EMBEDDING_MODEL", yaml: "embedding.model" },
    text,
    "text-embedding-3-small",
    "The model of the provider openai.",
  ),
  embeddingApiKey: optional(
    { env: "EMBEDDING_API_KEY", yaml: "embedding.api_key" },
    text,
    "The key of the provider openai. Default: none, as for most servers of one's own.",
  ),
  embeddingApiBase: setting(
    { env: "EMBEDDING_API_BASE", yaml: "embedding.api_base" },
    z.url({ protocol: /^https?$/ }),
    "https://api.openai.com/v1",
    "Where the provider openai is: any server with the same API of embeddings.",
  ),
  embeddingCacheTtl: setting(
    { env: "EMBEDDING_CACHE_TTL", yaml: "embedding.cache_ttl" },
    integer(0, 31_536_000),
    86_400,
    "Seconds a vector of the provider openai is kept; 0 keeps none.",
  ),
  embeddingBatchSize: setting(
    { env: "EMBEDDING_BATCH_SIZE", yaml: "embedding.batch_size" },
    integer(1, 2048),
    100,
    "Texts in one request to the provider openai, at most.",
  ),
  cacheEnabled: setting(
    { env: "CACHE_ENABLED", yaml: "cache.enabled" },
    boolean,
    true,
    "Whether answers are cached; when not, lookups miss and stores are refused.",
  ),
  cacheStrategy: setting(
    { env: "CACHE_STRATEGY", yaml: "cache.strategy" },
    word("hybrid", "exact", "semantic"),
    "hybrid",
    "How answers are found unless a call says otherwise.",
  ),
  cacheSimilarityThreshold: setting(
    { env: "CACHE_SIMILARITY_THRESHOLD", yaml: "cache.similarity_threshold" },
    share,
    0.85,
    "Cosine similarity from which on an answer is served by meaning.",
  ),
  cacheAlignedThreshold: setting(
    { yaml: "cache.aligned_threshold" },
    share,
    0.5,
    "The same for prompts whose words all align; equal to similarity_threshold switches the difference off.",
  ),
  cacheDefaultTtl: setting(
    { env: "CACHE_DEFAULT_TTL", yaml: "cache.default_ttl" },
    integer(1, 86_400),
    3600,
    "Seconds an answer is served unless the call says otherwise.",
  ),
  cacheMaxEntries: setting(
    { env: "CACHE_MAX_ENTRIES", yaml: "cache.max_entries" },
    integer(1, 1_000_000),
    10_000,
    "Answers a namespace holds at most; what was used longest ago makes room.",
  ),
} as const satisfies Record<string, Setting<unknown>>;

type ValueOf<S> = S extends { readonly schema: z.ZodType<infer T, string>; readonly fallback: infer F }
  ? F extends undefined
    ? T | undefined
    : T
  : never;

/** The value of every setting. */
export type Values = { readonly [K in keyof typeof SETTINGS]: ValueOf<(typeof SETTINGS)[K]> };
