import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type SourcesFolder, sourcesFolder, type TestSources } from "../../test/support/settings-sources.ts";

let folder: SourcesFolder;
beforeAll(async () => {
  folder = await sourcesFolder();
});
afterAll(async () => {
  await folder[Symbol.asyncDispose]();
});

/** As if every feature were supported: errors of combinations do not depend on the version. */
const ALL_BUILT = { notYet: [] };
const REDIS = { MEMORY_BACKEND: "redis" };

describe("invalid combinations", () => {
  it.each<[name: string, sources: TestSources, named: readonly string[]]>([
    ["one port for two servers", { env: { GRPC_PORT: "9", HTTP_PORT: "9" } }, ["GRPC_PORT", "HTTP_PORT"]],
    ["unused keys", { env: { AUTH_API_KEYS_FILE: "keys" } }, ["AUTH_API_KEYS_FILE", "AUTH_MODE"]],
    ["keys that are missing", { env: { AUTH_MODE: "api_keys" } }, ["AUTH_MODE", "AUTH_API_KEYS_FILE"]],
    ["a certificate without its key", { env: { TLS_CERT_FILE: "c" } }, ["TLS_CERT_FILE", "TLS_KEY_FILE"]],
    ["a key without its certificate", { env: { TLS_KEY_FILE: "k" } }, ["TLS_KEY_FILE", "TLS_CERT_FILE"]],
    [
      "answers by meaning without vectors",
      { env: { ENABLE_VECTOR_SEARCH: "false", CACHE_STRATEGY: "semantic" } },
      ["CACHE_STRATEGY", "ENABLE_VECTOR_SEARCH"],
    ],
    ["openai without key and base", { env: { EMBEDDING_PROVIDER: "openai" } }, ["EMBEDDING_API_KEY"]],
    [
      "another dimension of the model that has one alone",
      { env: { VECTOR_DIM: "384" } },
      ["VECTOR_DIM", "EMBEDDING_PROVIDER", "256"],
    ],
    [
      "an aligned threshold above the other",
      { yaml: "cache: { aligned_threshold: 0.9 }" },
      ["cache.aligned_threshold", "CACHE_SIMILARITY_THRESHOLD"],
    ],
    [
      "a TTL above the greatest age",
      { yaml: "cache: { max_age: 60 }", env: { CACHE_DEFAULT_TTL: "61" } },
      ["CACHE_DEFAULT_TTL", "cache.max_age"],
    ],
    [
      "one name for two indexes",
      { env: { VECTOR_INDEX_NAME: "same", CACHE_INDEX_NAME: "same" } },
      ["CACHE_INDEX_NAME", "VECTOR_INDEX_NAME"],
    ],
    ["another database than 0", { env: { ...REDIS, REDIS_DB: "1" } }, ["REDIS_DB"]],
    ["another database in the URL", { env: { REDIS_URL: "redis://host/2" } }, ["REDIS_URL"]],
    [
      "TLS and no TLS",
      { env: { REDIS_URL: "rediss://host", REDIS_TLS: "false" } },
      ["REDIS_URL", "REDIS_TLS"],
    ],
    ["authorities without TLS", { env: { ...REDIS, REDIS_TLS_CA_FILE: "ca" } }, ["REDIS_TLS_CA_FILE"]],
    ["Sentinel without a name", { env: { ...REDIS, REDIS_TOPOLOGY: "sentinel" } }, ["REDIS_SENTINEL_NAME"]],
    [
      "a Sentinel name for a cluster",
      { env: { ...REDIS, REDIS_TOPOLOGY: "cluster", REDIS_SENTINEL_NAME: "main" } },
      ["REDIS_TOPOLOGY", "REDIS_SENTINEL_NAME"],
    ],
    [
      "several nodes of one server",
      { env: { ...REDIS, REDIS_TOPOLOGY: "standalone", REDIS_NODES: "a:1,b:2" } },
      ["REDIS_TOPOLOGY", "REDIS_NODES"],
    ],
    [
      "vector search written twice and differently",
      { yaml: "memory: { enable_vector_search: yes }\nvector_search: { enabled: off }" },
      ["memory.enable_vector_search", "vector_search.enabled"],
    ],
  ])("refuses %s, naming the settings", async (_, sources, named) => {
    const problems = await folder.problemsOf({ ...sources, ...ALL_BUILT });
    expect(problems).toHaveLength(1);
    for (const name of named) expect(problems[0]).toContain(name);
  });

  it("accepts two equal values of the vector search setting", async () => {
    const yaml = "memory: { enable_vector_search: off }\nvector_search: { enabled: false }";
    expect((await folder.load({ yaml })).config.vectorSearch.enabled).toBe(false);
    expect(
      (await folder.load({ yaml: "memory: { enable_vector_search: no }" })).config.vectorSearch.enabled,
    ).toBe(false);
  });

  it("does not check Redis settings with another backend", async () => {
    const env = { MEMORY_BACKEND: "embedded", REDIS_DB: "3", REDIS_HOST: "host" };
    expect((await folder.load({ env })).config.redis.db).toBe(3);
  });

  it.each([
    ["L2", "cosine"],
    ["ip", "cosine"],
  ])("refuses the metric %s with the reason", async (distance_metric, reason) => {
    const problems = await folder.problemsOf({
      yaml: `vector_search: { distance_metric: ${distance_metric} }`,
    });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(reason);
  });
});

describe("derived defaults", () => {
  const backendOf = async (sources: TestSources): Promise<readonly string[]> => {
    const { config } = await folder.load({ ...sources, ...ALL_BUILT });
    return [config.backend, config.backendReason];
  };

  it("chooses the backend, with the reason", async () => {
    const yaml = "memory: { backend: embedded }";
    const env = { REDIS_HOST: "host" };
    expect(await backendOf({ env: { ...env, MEMORY_BACKEND: "embedded" } })).toEqual([
      "embedded",
      expect.stringContaining("(environment)"),
    ]);
    expect(await backendOf({ env, yaml })).toEqual(["embedded", expect.stringContaining(".yaml")]);
    expect(await backendOf({ env })).toEqual(["redis", expect.stringContaining("REDIS_HOST")]);
    expect(await backendOf({ env: { REDIS_URL: "redis://host" } })).toEqual([
      "redis",
      expect.stringContaining("REDIS_URL"),
    ]);
    expect(
      await backendOf({ env: { MEMORY_BACKEND: "" }, yaml: "memory:\n  backend: $" + "{NONE:-}" }),
    ).toEqual(["embedded", expect.stringContaining("default")]);
  });

  it.each([
    [{}, "local", 256],
    [{ EMBEDDING_PROVIDER: "hashing" }, "hashing", 384],
    [{ EMBEDDING_API_KEY: "k" }, "openai", 1536],
    [{ EMBEDDING_API_BASE: "http://localhost:11434/v1" }, "openai", 1536],
    [{ EMBEDDING_API_KEY: "k", EMBEDDING_PROVIDER: "hashing" }, "hashing", 384],
    [{ EMBEDDING_API_KEY: "k", VECTOR_DIM: "8" }, "openai", 8],
  ])("with %o embeds by %s in %i dimensions", async (env, provider, dimension) => {
    const { config } = await folder.load({ env, ...ALL_BUILT });
    expect([config.embedding.provider, config.vectorSearch.dimension]).toEqual([provider, dimension]);
  });

  it("keeps the default TTL within the maximum age", async () => {
    expect((await folder.load({ yaml: "cache: { max_age: 60 }" })).config.cache).toMatchObject({
      defaultTtlMs: 60_000,
      maxAgeMs: 60_000,
    });
  });

  it("splits REDIS_URL, which has precedence", async () => {
    const env = {
      REDIS_URL: "rediss://ana:p%40ss@[::1]:7000/0",
      REDIS_HOST: "other",
      REDIS_PORT: "1",
      REDIS_PASSWORD: "other",
    };
    expect((await folder.load({ env, ...ALL_BUILT })).config.redis).toMatchObject({
      host: "::1",
      port: 7000,
      username: "ana",
      password: "p@ss",
      tls: { enabled: true },
    });
    const short = { REDIS_URL: "redis://host", REDIS_PASSWORD: "secret" };
    expect((await folder.load({ env: short, ...ALL_BUILT })).config.redis).toMatchObject({
      host: "host",
      port: 6379,
      password: "secret",
      tls: { enabled: false },
    });
  });
});
