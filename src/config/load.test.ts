import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Config } from "./config.ts";
import { ConfigError } from "./config-error.ts";
import { loadConfig } from "./load.ts";
import { SETTINGS, type Setting } from "./settings.ts";
import { type Environment, substitute } from "./sources.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "recollect-config-"));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

interface Sources {
  readonly env?: Environment;
  readonly flags?: Environment;
  readonly dotenv?: string;
  readonly yaml?: string;
  readonly terminal?: boolean;
}

let files = 0;
async function load({ env = {}, flags = {}, dotenv, yaml, terminal }: Sources = {}): Promise<Config> {
  files += 1;
  const yamlPath = join(folder, `${files}.yaml`);
  const envPath = join(folder, `${files}.env`);
  if (yaml !== undefined) await writeFile(yamlPath, yaml);
  if (dotenv !== undefined) await writeFile(envPath, dotenv);
  return loadConfig({
    env: { RECOLLECT_CONFIG: yamlPath, ...env },
    envFile: envPath,
    flags,
    ...(terminal === undefined ? {} : { terminal }),
  });
}

async function problemsOf(sources: Sources): Promise<readonly string[]> {
  try {
    await load(sources);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

const ttl = async (sources: Sources): Promise<number> => (await load(sources)).cache.defaultTtlMs / 1000;

describe("loadConfig", () => {
  it("has a default for everything", async () => {
    expect(await load()).toMatchObject({
      environment: "development",
      log: { level: "info", format: "json", file: undefined },
      grpc: { host: "127.0.0.1", port: 50_051 },
      http: { host: "127.0.0.1", port: 8000, corsOrigins: [] },
      auth: { mode: "none", allowUnauthenticated: false },
      vectorSearch: { enabled: true, dimension: 384 },
      cache: {
        enabled: true,
        strategy: "HYBRID",
        similarityThreshold: 0.85,
        alignedThreshold: 0.5,
        defaultTtlMs: 3_600_000,
      },
    });
  });

  it("takes flags over environment over .env over YAML over the default", async () => {
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

  it("takes what is empty for unset, in each source", async () => {
    const name = "CACHE_DEFAULT_TTL";
    const empty = { [name]: "" };
    expect(await ttl({ flags: empty, env: { [name]: "2" } })).toBe(2);
    expect(await ttl({ env: empty, dotenv: `${name}=3` })).toBe(3);
    expect(await ttl({ dotenv: `${name}=`, yaml: "cache: { default_ttl: 4 }" })).toBe(4);
    expect(await ttl({ yaml: "cache: { default_ttl: }" })).toBe(3600);
    expect(await ttl({ yaml: 'cache: { default_ttl: "" }' })).toBe(3600);
  });

  it("takes an empty RECOLLECT_CONFIG for unset, in .env too", async () => {
    await mkdir(join(folder, "config"));
    await writeFile(join(folder, "config", "memory_config.yaml"), "cache: { default_ttl: 9 }");
    await writeFile(join(folder, ".env"), "RECOLLECT_CONFIG=\n");
    // The default path is relative, so it takes a process with a working directory of its own.
    const script = `
      import { loadConfig } from ${JSON.stringify(new URL("./load.ts", import.meta.url).href)};
      for (const options of [{ env: {}, envFile: ".env" }, { env: { RECOLLECT_CONFIG: "" } }])
        console.log(loadConfig(options).cache.defaultTtlMs);`;
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ["--input-type=module", "--eval", script],
      { cwd: folder },
    );
    expect(stdout).toBe("9000\n9000\n");
  });

  it("does without the files", async () => {
    const missing = join(folder, "missing");
    expect(loadConfig({ env: { RECOLLECT_CONFIG: missing }, envFile: missing }).grpc.port).toBe(50_051);
  });

  it("reports every wrong value at once, with its name and value", async () => {
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
  ])("refuses wrong values of %s", async (name, values) => {
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

  it("refuses YAML that is broken, naming the file", async () => {
    const problems = await problemsOf({ yaml: "cache: { default_ttl: 5" });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(".yaml");
  });

  it("refuses a file that cannot be read, naming it", async () => {
    const problems = await problemsOf({ env: { RECOLLECT_CONFIG: folder } });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(folder);
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

  it("means the same by YAML scalars as by texts", async () => {
    const yaml = "cache: { enabled: false, similarity_threshold: 0.9 }\nvector_search: { dimension: 8 }";
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
  ])("knows the level %s", async (level, meant) => {
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

  it("never lets the aligned threshold exceed the other", async () => {
    const env = { CACHE_SIMILARITY_THRESHOLD: "0.3" };
    expect((await load({ env })).cache).toMatchObject({ similarityThreshold: 0.3, alignedThreshold: 0.3 });
  });

  describe("with AUTH_MODE=none", () => {
    it.each(["0.0.0.0", "::", "10.0.0.5", "example.org", "127.evil.example", "::ffff:10.0.0.1"])(
      "refuses to bind %s on either door",
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

    it("binds any address when ALLOW_UNAUTHENTICATED=true says that it is meant", async () => {
      const env = { GRPC_HOST: "0.0.0.0", ALLOW_UNAUTHENTICATED: "true" };
      expect((await load({ env })).grpc.host).toBe("0.0.0.0");
      expect(await problemsOf({ env: { ...env, ALLOW_UNAUTHENTICATED: "false" } })).toHaveLength(1);
    });
  });

  it("freezes all of the result", async () => {
    const frozen = (value: unknown): boolean =>
      value === null ||
      typeof value !== "object" ||
      (Object.isFrozen(value) && Object.values(value).every(frozen));
    const config = await load({ env: { HTTP_CORS_ORIGINS: "*" } });
    expect(frozen(config)).toBe(true);
  });
});

describe("SETTINGS", () => {
  const settings = Object.entries(SETTINGS) as [string, Setting<unknown>][];

  it.each(settings)("%s says where it is read from and what it means", (_, { env, yaml, description }) => {
    expect(env ?? yaml).toBeDefined();
    expect(description).toMatch(/\.$/);
  });

  it("have each name once", () => {
    const names = settings.flatMap(([, { env, yaml }]) => [env, yaml].filter((name) => name !== undefined));
    expect(new Set(names).size).toBe(names.length);
  });

  it("are all at home in the YAML file or the environment with their default", async () => {
    for (const [, { env, fallback }] of settings) {
      if (env === undefined || fallback === undefined) continue;
      expect(await problemsOf({ env: { [env]: String(fallback) } })).toEqual([]);
    }
  });
});

describe("substitute", () => {
  const environment = { A: "1", EMPTY: "", DOLLAR: "$&" };
  it.each([
    ["plain", "plain"],
    ["<$" + "{A}>", "<1>"],
    ["$" + "{A:-2}$" + "{B:-2}$" + "{EMPTY:-3}", "123"],
    ["<$" + "{B}$" + "{EMPTY}$" + "{B:-}>", "<>"],
    ["$" + "{DOLLAR}", "$&"],
    ["$A {A} $" + "{1A}", "$A {A} $" + "{1A}"],
  ])("turns %s into %s", (text, expected) => {
    expect(substitute(text, environment)).toBe(expected);
  });
});
