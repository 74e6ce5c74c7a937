import { execFile } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type SourcesFolder, sourcesFolder, type TestSources } from "../../test/support/settings-sources.ts";
import type { Config } from "./config.ts";
import { loadConfig } from "./load.ts";
import { ALL_SETTINGS, type SettingKey } from "./settings.ts";

let folder: SourcesFolder;
beforeAll(async () => {
  folder = await sourcesFolder();
});
afterAll(async () => {
  await folder[Symbol.asyncDispose]();
});

const load = async (sources: TestSources = {}): Promise<Config> => (await folder.load(sources)).config;
const problemsOf = (sources: TestSources): Promise<readonly string[]> => folder.problemsOf(sources);

const ttl = async (sources: TestSources): Promise<number> => (await load(sources)).cache.defaultTtlMs / 1000;

describe("loadConfig", () => {
  it("has a default for every setting", async () => {
    expect(await load()).toMatchObject({
      environment: "development",
      log: { level: "info", format: "json", file: undefined },
      grpc: { host: "127.0.0.1", port: 50_051 },
      http: { host: "127.0.0.1", port: 8000, corsOrigins: [] },
      auth: { mode: "none", allowUnauthenticated: false },
      vectorSearch: { enabled: true, dimension: 256 },
      cache: {
        enabled: true,
        strategy: "HYBRID",
        similarityThreshold: undefined,
        alignedThreshold: 0.5,
        defaultTtlMs: 3_600_000,
      },
    });
  });

  it("prefers flags over environment over .env over YAML over the default", async () => {
    const name = "CACHE_DEFAULT_TTL";
    const yaml = "cache: { default_ttl: 4 }";
    const dotenv = `${name}=3`;
    const env = { [name]: "2" };
    const flags = { [name]: "1" };
    expect(await ttl({ flags, env, dotenv, yaml })).toBe(1);
    expect(await ttl({ env, dotenv, yaml })).toBe(2);
    expect(await ttl({ dotenv, yaml })).toBe(3);
    expect(await ttl({ yaml })).toBe(4);
    expect(await ttl({})).toBe(3600);
  });

  it("treats empty values as unset, in each source", async () => {
    const name = "CACHE_DEFAULT_TTL";
    const empty = { [name]: "" };
    expect(await ttl({ flags: empty, env: { [name]: "2" } })).toBe(2);
    expect(await ttl({ env: empty, dotenv: `${name}=3` })).toBe(3);
    expect(await ttl({ dotenv: `${name}=`, yaml: "cache: { default_ttl: 4 }" })).toBe(4);
    expect(await ttl({ yaml: "cache: { default_ttl: }" })).toBe(3600);
    expect(await ttl({ yaml: 'cache: { default_ttl: "" }' })).toBe(3600);
  });

  it("treats an empty RECOLLECT_CONFIG as unset, also in .env", async () => {
    await mkdir(join(folder.path, "config"));
    await writeFile(join(folder.path, "config", "memory_config.yaml"), "cache: { default_ttl: 9 }");
    await writeFile(join(folder.path, ".env"), "RECOLLECT_CONFIG=\n");
    // The default path is relative, so it takes a process with a working directory of its own.
    const script = `
      import { loadConfig } from ${JSON.stringify(new URL("./load.ts", import.meta.url).href)};
      for (const options of [{ env: {}, envFile: ".env" }, { env: { RECOLLECT_CONFIG: "" } }])
        console.log(loadConfig(options).cache.defaultTtlMs);`;
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ["--input-type=module", "--eval", script],
      { cwd: folder.path },
    );
    expect(stdout).toBe("9000\n9000\n");
  });

  it("works without the files", async () => {
    const missing = join(folder.path, "missing");
    expect(loadConfig({ env: { RECOLLECT_CONFIG: missing }, envFile: missing }).grpc.port).toBe(50_051);
  });

  it("reports all invalid values at once, with name and value", async () => {
    const problems = await problemsOf({
      env: { GRPC_PORT: "65536", CACHE_ENABLED: "maybe", LOG_LEVEL: "loud" },
      dotenv: "VECTOR_DIM=1.5",
      yaml: "cache: { default_ttl: forever, aligned_threshold: 2 }",
    });
    expect(problems).toHaveLength(6);
    for (const [name, value] of [
      ["GRPC_PORT", "65536"],
      ["CACHE_ENABLED", "maybe"],
      ["LOG_LEVEL", "loud"],
      ["VECTOR_DIM", "1.5"],
      ["cache.default_ttl", "forever"],
      ["cache.aligned_threshold", "2"],
    ] as const) {
      expect(problems.filter((problem) => problem.includes(name) && problem.includes(value))).toHaveLength(1);
    }
  });

  it.each([
    ["GRPC_PORT", ["-1", "1e3", "0x10", "", " ", "80 80", "NaN"].filter((value) => value !== "")],
    ["VECTOR_DIM", ["0", "4097", "12.0"]],
    ["CACHE_SIMILARITY_THRESHOLD", ["1.01", "-0.1", "Infinity", ".", "0,5"]],
    ["CACHE_DEFAULT_TTL", ["0", "86401", "1h"]],
    ["CACHE_STRATEGY", ["fuzzy", "hybrid,exact"]],
    ["ENABLE_VECTOR_SEARCH", ["2", "enabled"]],
    ["MEMORY_BACKEND", ["memory"]],
    ["LOG_LEVEL", ["constructor", "0"]],
  ])("refuses invalid values of %s", async (name, values) => {
    for (const value of values) {
      const problems = await problemsOf({ env: { [name]: value } });
      expect(problems.map((problem) => problem.includes(name) && problem.includes(value))).toEqual([true]);
    }
  });

  it("refuses unknown keys of the YAML file, and names them", async () => {
    const problems = await problemsOf({ yaml: "cache: { default_tll: 5, enabled: true }\nextra: [1]" });
    expect(problems).toHaveLength(2);
    expect(problems[0]).toContain("cache.default_tll");
    expect(problems[1]).toContain("extra");
  });

  it("refuses malformed YAML, naming the file", async () => {
    const problems = await problemsOf({ yaml: "cache: { default_ttl: 5" });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(".yaml");
  });

  it("refuses an unreadable file, naming it", async () => {
    const problems = await problemsOf({ env: { RECOLLECT_CONFIG: folder.path } });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(folder.path);
  });

  it("replaces variables in the YAML file", async () => {
    const yaml = [
      "cache:",
      "  default_ttl: $" + "{TTL:-7}",
      "  strategy: $" + "{STRATEGY}",
      "  enabled: $" + "{ON:-}",
    ].join("\n");
    expect((await load({ yaml })).cache).toMatchObject({
      defaultTtlMs: 7000,
      strategy: "HYBRID",
      enabled: true,
    });
    const given = await load({ yaml, env: { TTL: "8", ON: "off" }, dotenv: "STRATEGY=exact" });
    expect(given.cache).toMatchObject({ defaultTtlMs: 8000, strategy: "EXACT", enabled: false });
  });

  it("reads YAML scalars and strings alike", async () => {
    const yaml =
      "cache: { enabled: false, similarity_threshold: 0.9 }\nembedding: { provider: hashing }\nvector_search: { dimension: 8 }";
    expect(await load({ yaml })).toMatchObject({
      cache: { enabled: false, similarityThreshold: 0.9 },
      vectorSearch: { dimension: 8 },
    });
  });

  it.each([
    ["WARNING", "warn"],
    ["CRITICAL", "fatal"],
    ["NOTSET", "trace"],
    ["Error", "error"],
    [" debug ", "debug"],
  ])("accepts the level %s", async (level, meant) => {
    expect((await load({ env: { LOG_LEVEL: level } })).log.level).toBe(meant);
  });

  it.each([
    [undefined, true, "text"],
    [undefined, false, "json"],
    ["JSON", true, "json"],
    ["text", false, "text"],
  ])("with LOG_FORMAT %s and a terminal %s logs %s", async (format, terminal, expected) => {
    expect((await load({ env: { LOG_FORMAT: format }, terminal })).log.format).toBe(expected);
  });

  it("splits lists at commas", async () => {
    const env = { HTTP_CORS_ORIGINS: " https://a.example, ,https://b.example," };
    expect((await load({ env })).http.corsOrigins).toEqual(["https://a.example", "https://b.example"]);
  });

  it("caps the aligned threshold at the other one", async () => {
    const env = { CACHE_SIMILARITY_THRESHOLD: "0.3" };
    expect((await load({ env })).cache).toMatchObject({ similarityThreshold: 0.3, alignedThreshold: 0.3 });
  });

  it("reports the source of each value", async () => {
    const { settings } = await folder.load({
      flags: { "cache.aligned_threshold": "0.4" },
      env: { CACHE_ENABLED: "true" },
      dotenv: "CACHE_STRATEGY=exact",
      yaml: "cache: { max_entries: 5 }",
    });
    const from = (key: SettingKey): string | undefined => settings.get(key)?.source;
    expect(from("cacheAlignedThreshold")).toBe("command line");
    expect(from("cacheEnabled")).toBe("environment");
    expect(from("cacheStrategy")).toContain(".env");
    expect(from("cacheMaxEntries")).toContain(".yaml");
    expect(from("cacheMaxAge")).toBe("default");
    expect(from("vectorDimension")).toContain("EMBEDDING_PROVIDER");
  });

  it("reads YAML scalars as written, and sequences for list settings only", async () => {
    const yaml = "redis: { password: 00123, nodes: [a:1, b:2], prefix: null }";
    expect((await load({ yaml })).redis).toMatchObject({
      password: "00123",
      nodes: [
        { host: "a", port: 1 },
        { host: "b", port: 2 },
      ],
      prefix: "memory:",
    });
    expect(await problemsOf({ yaml: "cache: { default_ttl: [5] }" })).toEqual([
      expect.stringContaining("cache.default_ttl"),
    ]);
  });

  it("treats an empty section as unset, and refuses a value in its place", async () => {
    expect(await problemsOf({ yaml: "cache:\nredis: {}" })).toEqual([]);
    expect(await problemsOf({ yaml: "cache: 5" })).toEqual([expect.stringContaining("section")]);
  });

  it("refuses malformed variables in the YAML file", async () => {
    const problems = await problemsOf({ yaml: "redis: { prefix: 'a$" + "{B C}' }" });
    expect(problems).toEqual([expect.stringContaining("redis.prefix")]);
  });

  it.each([
    ["a flag", { flags: { CACHE_DEFAULT_TLL: "5" } }, "CACHE_DEFAULT_TTL"],
    ["the YAML file", { yaml: "cache: { default_tll: 5 }" }, "cache.default_ttl"],
    [".env", { dotenv: "CACHE_DEFAULT_TLL=5" }, "CACHE_DEFAULT_TTL"],
  ])("refuses a misspelled name in %s, and suggests the correct one", async (_, sources, meant) => {
    expect(await problemsOf(sources)).toEqual([expect.stringContaining(`did you mean ${meant}?`)]);
  });

  it("ignores foreign variables, and warns about names with our prefixes", async () => {
    const config = await load({
      env: { HTTP_PROXY: "x", REDIS_SERVICE_HOST: "x", CACHE_DEFAULT_TLL: "5", RECOLLECT_ADDRESS: "x" },
      dotenv: "POSTGRES_HOST=x\nREDIS_MAX_MEMORY=4gb",
    });
    expect(config.warnings).toEqual([
      expect.stringContaining("CACHE_DEFAULT_TLL"),
      expect.stringContaining("REDIS_MAX_MEMORY"),
    ]);
  });

  it("explains the variables that Kubernetes sets for a Service", async () => {
    const problems = await problemsOf({ env: { REDIS_PORT: "tcp://10.0.0.1:6379" } });
    expect(problems).toEqual([expect.stringContaining("enableServiceLinks")]);
  });

  describe("with secrets", () => {
    let written = 0;
    const secretFile = async (content: string): Promise<string> => {
      written += 1;
      const path = join(folder.path, `secret-${written}`);
      await writeFile(path, content);
      return path;
    };

    it("reads them from files, without the line end", async () => {
      const env = { REDIS_PASSWORD_FILE: await secretFile("from a file \n") };
      expect((await load({ env })).redis.password).toBe("from a file ");
    });

    it("applies the precedence of sources to secret files and values alike", async () => {
      const file = await secretFile("file");
      const dotenv = "REDIS_PASSWORD=value";
      expect((await load({ env: { REDIS_PASSWORD_FILE: file }, dotenv })).redis.password).toBe("file");
      const reversed = { env: { REDIS_PASSWORD: "value" }, dotenv: `REDIS_PASSWORD_FILE=${file}` };
      expect((await load(reversed)).redis.password).toBe("value");
    });

    it("refuses a missing or empty secret file, and file and value in one source", async () => {
      const path = join(folder.path, "no-such-secret");
      const [empty, full] = [await secretFile("\n"), await secretFile("x")];
      for (const file of [path, empty]) {
        const problems = await problemsOf({ env: { REDIS_PASSWORD_FILE: file } });
        expect(problems).toEqual([expect.stringContaining("REDIS_PASSWORD_FILE")]);
      }
      const both = { REDIS_PASSWORD_FILE: full, REDIS_PASSWORD: "y" };
      expect(await problemsOf({ env: both })).toEqual([expect.stringContaining("REDIS_PASSWORD_FILE")]);
    });

    it("shows none in resolved values or errors", async () => {
      const env = {
        REDIS_PASSWORD: "hidden",
        EMBEDDING_API_KEY: "hidden",
        REDIS_URL: "redis://hidden:hidden@shown:1",
        MEMORY_BACKEND: "embedded",
        EMBEDDING_PROVIDER: "hashing",
      };
      const { settings } = await folder.load({ env });
      const shown = JSON.stringify([...settings.values()].map((setting) => setting.shown));
      expect(shown).not.toContain("hidden");
      expect(shown).toContain("shown:1");
      const problems = await problemsOf({ env: { ...env, REDIS_URL: "http://hidden:hidden@host" } });
      expect(problems).toHaveLength(1);
      expect(problems[0]).not.toContain("hidden");
    });

    it.each<[string, TestSources, named: string]>([
      ["a quote that does not close", { yaml: 'redis:\n  password: "xyzzy\n' }, "MISSING_CHAR"],
      ["a colon in it", { yaml: "redis:\n  password: xyzzy: xyzzy\n" }, "line 2"],
      ["what looks like an alias", { yaml: "redis: { password: *xyzzy }" }, "alias"],
      ["what looks like a variable", { yaml: "redis: { password: 'xyzzy$" + "{xyzzy' }" }, "redis.password"],
      ["a list", { yaml: "redis: { password: [xyzzy] }" }, "redis.password"],
      ["a query of REDIS_URL", { env: { REDIS_URL: "redis://h?password=xyzzy" } }, "?"],
      ["a # in REDIS_URL", { env: { REDIS_URL: "redis://u#xyzzy@h" } }, "%23"],
      ["a / in REDIS_URL", { env: { REDIS_URL: "redis://u:1/xyzzy@h" } }, "REDIS_URL"],
      [
        "a user of EMBEDDING_API_BASE",
        { env: { EMBEDDING_API_BASE: "https://xyzzy:xyzzy@h/v1" } },
        "password",
      ],
      ["a query of EMBEDDING_API_BASE", { env: { EMBEDDING_API_BASE: "https://h/v1?key=xyzzy" } }, "?"],
      ["a node that is a URL", { env: { REDIS_NODES: "redis://:xyzzy@h:1,b:2" } }, "REDIS_NODES"],
    ])("reports the error of %s without its value", async (_, sources, named) => {
      const problems = await problemsOf({ ...sources, notYet: [] });
      expect(problems).toEqual([expect.stringContaining(named)]);
      expect(problems[0]).not.toContain("xyzzy");
    });
  });

  it.each(["jwt", "mtls", "api-keys"])("refuses AUTH_MODE=%s, and lists the valid modes", async (mode) => {
    const problems = await problemsOf({ env: { AUTH_MODE: mode } });
    expect(problems).toHaveLength(1);
    for (const part of ["AUTH_MODE", JSON.stringify(mode), "environment", "none", "api_keys"]) {
      expect(problems[0]).toContain(part);
    }
  });

  describe("with AUTH_MODE=none", () => {
    it.each(["0.0.0.0", "::", "10.0.0.5", "example.org", "127.evil.example", "::ffff:10.0.0.1"])(
      "refuses to bind %s on either server",
      async (host) => {
        const problems = await problemsOf({ env: { GRPC_HOST: host, HTTP_HOST: host } });
        expect(problems.map((problem) => problem.includes(host))).toEqual([true, true]);
        expect(problems[0]).toContain("GRPC_HOST");
        expect(problems[1]).toContain("HTTP_HOST");
      },
    );

    it.each(["127.0.0.1", "127.0.0.2", "localhost", "::1"])("binds %s", async (host) => {
      const config = await load({ env: { GRPC_HOST: host, HTTP_HOST: host } });
      expect([config.grpc.host, config.http.host]).toEqual([host, host]);
    });

    it("binds any address with ALLOW_UNAUTHENTICATED=true", async () => {
      const env = { GRPC_HOST: "0.0.0.0", ALLOW_UNAUTHENTICATED: "true" };
      expect((await load({ env })).grpc.host).toBe("0.0.0.0");
      expect(await problemsOf({ env: { ...env, ALLOW_UNAUTHENTICATED: "false" } })).toHaveLength(1);
    });
  });

  it("freezes the result deeply", async () => {
    const frozen = (value: unknown): boolean =>
      value === null ||
      typeof value !== "object" ||
      (Object.isFrozen(value) && Object.values(value).every(frozen));
    const config = await load({ env: { HTTP_CORS_ORIGINS: "*" } });
    expect(frozen(config)).toBe(true);
  });
});

/** Defaults in the format of `config check`. */
const RELIED_UPON: Readonly<Record<string, string>> = {
  DATA_DIR: "./data",
  ENVIRONMENT: "development",
  LOG_LEVEL: "info",
  LOG_FORMAT: "json",
  LOG_FILE: "none",
  GRPC_HOST: "127.0.0.1",
  GRPC_PORT: "50051",
  HTTP_HOST: "127.0.0.1",
  HTTP_PORT: "8000",
  HTTP_CORS_ORIGINS: "none",
  AUTH_MODE: "none",
  AUTH_API_KEYS_FILE: "none",
  ALLOW_UNAUTHENTICATED: "false",
  TLS_CERT_FILE: "none",
  TLS_KEY_FILE: "none",
  TLS_CLIENT_CA_FILE: "none",
  MEMORY_BACKEND: "embedded",
  "memory.backend": "embedded",
  ENABLE_VECTOR_SEARCH: "true",
  "memory.enable_vector_search": "true",
  "vector_search.enabled": "true",
  VECTOR_DIM: "256",
  "vector_search.dimension": "256",
  VECTOR_INDEX_NAME: "idx:memory",
  "vector_search.distance_metric": "COSINE",
  "vector_search.algorithm": "HNSW",
  REDIS_URL: "none",
  REDIS_HOST: "localhost",
  REDIS_PORT: "6379",
  REDIS_DB: "0",
  REDIS_USERNAME: "none",
  REDIS_PASSWORD: "none",
  REDIS_PREFIX: "memory:",
  REDIS_POOL_SIZE: "50",
  REDIS_COMPRESSION: "false",
  REDIS_TOPOLOGY: "auto",
  REDIS_NODES: "none",
  REDIS_SENTINEL_NAME: "none",
  REDIS_TLS: "false",
  REDIS_TLS_CA_FILE: "the system's",
  REDIS_TLS_CERT_FILE: "none",
  REDIS_TLS_KEY_FILE: "none",
  REDIS_PARTITIONS: "16",
  "redis.socket_timeout": "5",
  "redis.socket_connect_timeout": "5",
  "redis.retry_on_timeout": "true",
  EMBEDDING_PROVIDER: "local",
  EMBEDDING_MODEL: "text-embedding-ada-002",
  EMBEDDING_API_KEY: "none",
  EMBEDDING_API_BASE: "https://api.openai.com/v1",
  EMBEDDING_CACHE_TTL: "86400",
  EMBEDDING_BATCH_SIZE: "100",
  "embedding.max_retries": "3",
  "embedding.timeout": "30",
  CACHE_ENABLED: "true",
  CACHE_STRATEGY: "hybrid",
  CACHE_SIMILARITY_THRESHOLD: "by the model of the vectors: see docs/embedding.md",
  "cache.aligned_threshold": "0.5",
  CACHE_DEFAULT_TTL: "3600",
  "cache.max_age": "86400",
  CACHE_MAX_ENTRIES: "10000",
  CACHE_MAX_BYTES: "no bound on bytes",
  CACHE_EVICTION_POLICY: "adaptive",
  "cache.enable_adaptive_ttl": "true",
  CACHE_INDEX_NAME: "idx:memory:cache",
  COMPACTION_ENABLED: "true",
  COMPACTION_STRATEGY: "hybrid",
  COMPACTION_LEVEL: "light",
  COMPACTION_CHECK_INTERVAL_HOURS: "24",
  "compactor.check_interval_hours": "24",
  COMPACTION_LLM_MODEL: "none: summaries are extracts",
  "compactor.keep_recent_hours": "24",
  "compactor.keep_important_days": "7",
  "compactor.min_importance": "0.3",
  "compactor.max_affected_fraction": "0.1",
};

describe("SETTINGS", () => {
  it.each(ALL_SETTINGS)("%s has a source and a description", (_, { env, yaml, description }) => {
    expect(env ?? yaml).toBeDefined();
    expect(description).toMatch(/\.$/);
  });

  it("have unique names", () => {
    const names = ALL_SETTINGS.flatMap(([, { env, yaml, yamlToo }]) =>
      [env, yaml, yamlToo].filter((name) => name !== undefined),
    );
    expect(new Set(names).size).toBe(names.length);
    expect(names.length).toBeGreaterThan(ALL_SETTINGS.length);
  });

  it("keep published names and defaults", async () => {
    const { settings } = await folder.load({ yaml: "" });
    const shown = new Map<string | undefined, string | undefined>(
      ALL_SETTINGS.flatMap(([key, { env, yaml, yamlToo }]) =>
        [env, yaml, yamlToo].map((name) => [name, settings.get(key)?.shown] as const),
      ),
    );
    for (const [name, value] of Object.entries(RELIED_UPON))
      expect([name, shown.get(name)]).toEqual([name, value]);
  });

  it("are all in the documentation and the sample files", async () => {
    const read = (path: string) => readFile(new URL(`../../${path}`, import.meta.url), "utf8");
    const [page, dotenv, shipped] = await Promise.all(
      ["docs/configuration.md", ".env.example", "config/memory_config.yaml"].map(read),
    );
    for (const [, { env, yaml }] of ALL_SETTINGS) {
      if (env !== undefined) expect([page, dotenv].map((text) => text?.includes(env))).toEqual([true, true]);
      if (yaml === undefined) continue;
      expect(page).toContain(`\`${yaml}\``);
      expect(shipped).toMatch(new RegExp(`^  (# )?${yaml.split(".")[1]}:`, "m"));
    }
  });

  it("accept their own defaults", () => {
    for (const [, { kind, fallback }] of ALL_SETTINGS) {
      if (fallback !== undefined && String(fallback) !== "")
        expect(kind.read(String(fallback))).toBe(fallback);
    }
  });
});
