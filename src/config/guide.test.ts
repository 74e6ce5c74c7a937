import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type SourcesFolder, sourcesFolder, type TestSources } from "../../test/support/settings-sources.ts";
import { NOT_YET } from "./not-yet.ts";
import { ALL_SETTINGS } from "./settings.ts";

const GUIDE = join(import.meta.dirname, "..", "..", "test", "support", "guide");
const guide = (name: string): Promise<string> => readFile(join(GUIDE, name), "utf8");

/** As if the embedders of the guide were supported. */
const withOpenai = NOT_YET.filter(({ settings }) => !settings.includes("embeddingProvider"));

let folder: SourcesFolder;
let files: { readonly dotenv: string; readonly yaml: string };
beforeAll(async () => {
  folder = await sourcesFolder();
  files = { dotenv: await guide("guide.env"), yaml: await guide("memory_config.yaml") };
});
afterAll(async () => {
  await folder[Symbol.asyncDispose]();
});

describe("the unmodified files of the deployment guide", () => {
  it("configure the embedded backend when MEMORY_BACKEND says so", async () => {
    const { config, settings } = await folder.load({
      ...files,
      env: { MEMORY_BACKEND: "embedded" },
      notYet: withOpenai,
    });
    expect(config).toMatchObject({
      environment: "production",
      backend: "embedded",
      log: { level: "info" },
      redis: {
        host: "localhost",
        port: 6379,
        db: 0,
        password: "your-redis-password",
        prefix: "memory:",
        poolSize: 50,
        socketTimeoutMs: 5000,
        connectTimeoutMs: 5000,
        retryOnTimeout: true,
      },
      vectorSearch: {
        enabled: true,
        dimension: 1536,
        indexName: "idx:memory",
        cacheIndexName: "idx:memory:cache",
      },
      embedding: {
        provider: "openai",
        model: "text-embedding-ada-002",
        apiKey: "your-openai-api-key",
        apiBase: "https://api.openai.com/v1",
        cacheTtlMs: 86_400_000,
        batchSize: 100,
        maxRetries: 3,
        timeoutMs: 30_000,
      },
      cache: {
        enabled: true,
        strategy: "HYBRID",
        similarityThreshold: 0.85,
        defaultTtlMs: 3_600_000,
        maxEntries: 10_000,
        evictionPolicy: "ADAPTIVE",
        adaptiveTtl: true,
      },
      compaction: {
        enabled: true,
        strategy: "HYBRID",
        level: "MODERATE",
        checkIntervalMs: 86_400_000,
        keepRecentMs: 86_400_000,
        keepImportantMs: 604_800_000,
        minImportance: 0.3,
      },
    });
    expect(settings.get("cacheEvictionPolicy")?.source).toContain(".env");
  });

  it("contain no unknown name", async () => {
    const names = new Set(ALL_SETTINGS.flatMap(([, { env, yaml, yamlToo }]) => [env, yaml, yamlToo]));
    const variables = [
      ...Object.keys(parseEnv(files.dotenv)),
      ...[...files.yaml.matchAll(/\$\{([^}]+)\}/g)].map(([, name = ""]) => name),
      // The guide sets these only in its text.
      ...["REDIS_POOL_SIZE", "REDIS_COMPRESSION"],
    ].filter((name) => name !== "CACHE_EV POLICY");
    expect(variables.length).toBeGreaterThan(40);
    expect(variables.filter((name) => !names.has(name))).toEqual([]);
    // An unknown path of the YAML file would be refused.
    const { config } = await folder.load({
      ...files,
      env: { MEMORY_BACKEND: "embedded" },
      notYet: withOpenai,
    });
    expect(config.warnings.filter((warning) => warning.includes("is not a setting"))).toEqual([]);
  });

  it("cause warnings with the correct spelling of each typo, in both files", async () => {
    const { config } = await folder.load({
      ...files,
      env: { MEMORY_BACKEND: "embedded" },
      notYet: withOpenai,
    });
    const naming = (text: string): readonly string[] =>
      config.warnings.filter((warning) => warning.includes(text));
    const typos = naming("CACHE_EV POLICY");
    expect(typos.map((warning) => warning.includes("CACHE_EVICTION_POLICY"))).toEqual([true, true]);
    expect(naming("check_interval_hours")).toHaveLength(1);
    expect(naming("EMBEDDING_API_KEY")).toHaveLength(1);
  });

  it("select redis without MEMORY_BACKEND, and are refused by a version without the redis backend", async () => {
    const problems = await folder.problemsOf({ ...files, notYet: [REDIS] });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain("MEMORY_BACKEND");
  });

  it("load the ConfigMap, although its prefix is invalid YAML", async () => {
    const yaml = await guide("configmap.yaml");
    const { config } = await folder.load({
      yaml,
      // From the Secret beside it.
      env: { MEMORY_BACKEND: "embedded", EMBEDDING_API_KEY: "k" },
    });
    expect(config.redis).toMatchObject({ host: "redis-service", prefix: "memory:" });
    expect(config.vectorSearch.dimension).toBe(1536);
    expect(config.warnings.filter((warning) => warning.includes('prefix: "memory:"'))).toHaveLength(1);
  });
});

const REDIS = { settings: ["backend"], values: ["redis"], refused: true, instead: "use embedded" } as const;

describe("typos", () => {
  const policyOf = async (sources: TestSources): Promise<string> =>
    (await folder.load(sources)).config.cache.evictionPolicy;

  it("have lower precedence than the correct spelling and than a stronger source", async () => {
    expect(await policyOf({ dotenv: "CACHE_EV POLICY=lfu" })).toBe("LFU");
    expect(await policyOf({ dotenv: "CACHE_EV POLICY=lfu\nCACHE_EVICTION_POLICY=fifo" })).toBe("FIFO");
    expect(await policyOf({ dotenv: "CACHE_EV POLICY=lfu", env: { CACHE_EVICTION_POLICY: "ttl" } })).toBe(
      "TTL",
    );
  });

  it.each([
    ["$" + "{COMPACTION_CHECK_INTERVAL_HOURS}", 12],
    ["$" + "{COMPACTION_CHECK_INTERVAL_HOURS:-6}", 12],
  ])("reads check_interval_seconds: %s as hours", async (written, hours) => {
    const yaml = `compactor: { check_interval_seconds: "${written}" }`;
    const { config } = await folder.load({ yaml, dotenv: `COMPACTION_CHECK_INTERVAL_HOURS=${hours}` });
    expect(config.compaction.checkIntervalMs).toBe(hours * 3_600_000);
    expect(config.warnings.some((warning) => warning.includes("check_interval_hours"))).toBe(true);
  });

  it("reads the default in it as hours too", async () => {
    const yaml = 'compactor: { check_interval_seconds: "$' + '{COMPACTION_CHECK_INTERVAL_HOURS:-6}" }';
    expect((await folder.load({ yaml })).config.compaction.checkIntervalMs).toBe(6 * 3_600_000);
  });

  it("refuses a value in seconds, and names the value in hours", async () => {
    const problems = await folder.problemsOf({ yaml: "compactor: { check_interval_seconds: 5400 }" });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain("check_interval_hours: 1.5");
  });
});
