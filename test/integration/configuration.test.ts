import { once } from "node:events";
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { startOpenAiServer } from "../support/openai-server.ts";
import { type EndedCommand, runCli } from "../support/run-cli.ts";
import { startProcess, type TestProcess } from "../support/start-process.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const GUIDE = join(import.meta.dirname, "..", "support", "guide");

/** The files of the deployment guide, at the documented paths. */
async function guideFiles(): Promise<Record<string, string>> {
  return {
    ".env": await readFile(join(GUIDE, "guide.env"), "utf8"),
    "config/memory_config.yaml": await readFile(join(GUIDE, "memory_config.yaml"), "utf8"),
  };
}

async function hangUp(server: TestProcess, dotenv: string, says: string): Promise<Record<string, unknown>> {
  await writeFile(join(server.directory, ".env"), dotenv);
  server.process.kill("SIGHUP");
  return JSON.parse(await server.lineWith(says)) as Record<string, unknown>;
}

async function call(http: string, method: string, request: object): Promise<Record<string, unknown>> {
  const response = await fetch(`http://${http}/recollect.v1.${method}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(request),
  });
  return (await response.json()) as Record<string, unknown>;
}

/** TTL of a stored entry in seconds, requested or by default. */
async function ttlOf(http: string, ttl?: string): Promise<number> {
  const request = { prompt: { text: "q" }, scope: { model: "m" }, response: "a", ttl };
  const { entry } = (await call(http, "CacheService/StoreCacheEntry", request)) as {
    entry: { createTime: string; expireTime: string };
  };
  return (Date.parse(entry.expireTime) - Date.parse(entry.createTime)) / 1000;
}

/** Whether a TTL is this one of the configuration, which enable_adaptive_ttl shortens by up to a tenth. */
const isFrom =
  (seconds: number) =>
  (ttl: number): boolean =>
    ttl <= seconds && ttl > 0.89 * seconds;

describe("recollect serve", () => {
  it("starts with the unmodified files of the deployment guide", async () => {
    await using server = await startProcess({ MEMORY_BACKEND: "embedded" }, { files: await guideFiles() });
    const line = JSON.parse(await server.lineWith('"serving"')) as Record<string, unknown>;
    expect(line).toMatchObject({
      environment: "production",
      backend: "embedded",
      embedder: { provider: "openai", model: "text-embedding-ada-002", dimension: 1536 },
    });
    const chosen = JSON.parse(await server.lineWith("backend chosen")) as Record<string, unknown>;
    expect(chosen["because"]).toContain("MEMORY_BACKEND");
    // This needs no vector, so the provider of the guide is not called.
    expect((await fetch(`http://${String(line["http"])}/ready`)).status).toBe(200);
    expect(server.stdout()).not.toMatch(/your-openai-api-key|your-redis-password/);
  });

  it("serves with the guide's placeholder API key: written memories are stored as pending", async () => {
    await using provider = await startOpenAiServer();
    provider.always({ kind: "status", status: 401 });
    const env = { MEMORY_BACKEND: "embedded", EMBEDDING_API_BASE: provider.apiBase };
    await using server = await startProcess(env, { files: await guideFiles() });
    const { http } = JSON.parse(await server.lineWith('"serving"')) as { http: string };
    const { memory } = await call(http, "MemoryService/CreateMemory", { memory: { text: "Ann likes tea" } });
    expect(memory).toMatchObject({ embedding: { state: "STATE_PENDING" } });
    const { results } = await call(http, "MemoryService/SearchMemories", { query: { text: "tea" } });
    expect(results).toHaveLength(1);
    expect(await ttlOf(http)).toSatisfy(isFrom(3600));
    expect((await fetch(`http://${http}/ready`)).status).toBe(200);
    expect(provider.received[0]?.authorization).toBe("Bearer your-openai-api-key");
  });

  it("gives flags precedence over all other sources", async () => {
    const args = ["serve", "--set", "LOG_LEVEL=info", "--set", "CACHE_DEFAULT_TTL=7"];
    await using server = await startProcess({ LOG_LEVEL: "fatal", CACHE_DEFAULT_TTL: "8" }, { args });
    const { http } = JSON.parse(await server.lineWith('"serving"')) as { http: string };
    expect(await ttlOf(http)).toSatisfy(isFrom(7));
    expect(await ttlOf(http, "60s")).toBe(60);
  });

  it("serves no entry older than cache.max_age, whatever TTL the call sets", async () => {
    await using server = await startProcess({}, { args: ["serve", "--set", "cache.max_age=5"] });
    const { http } = JSON.parse(await server.lineWith('"serving"')) as { http: string };
    expect(await ttlOf(http)).toSatisfy(isFrom(5));
    expect(await ttlOf(http, "60s")).toBe(5);
  });

  it.each([
    ["--set", "LOG_LEVEL"],
    ["--set", "LOG_LEVLE=info"],
    ["--config", "."],
  ])("refuses %s %s", async (...flags) => {
    await using server = await startProcess({}, { args: ["serve", ...flags] });
    expect(await server.exited).toBe(2);
    expect(server.stdout()).toBe("");
  });

  it("applies reloadable settings on SIGHUP, reports the others, and changes nothing when a setting is invalid", async () => {
    const files = { ".env": "CACHE_DEFAULT_TTL=10" };
    await using server = await startProcess({}, { files });
    const { http } = JSON.parse(await server.lineWith('"serving"')) as { http: string };
    expect(await ttlOf(http)).toSatisfy(isFrom(10));

    const wrong = "CACHE_DEFAULT_TTL=20\nCACHE_SIMILARITY_THRESHOLD=7";
    const refused = await hangUp(server, wrong, "reload refused");
    expect(refused["level"]).toBe("ERROR");
    expect(refused["problems"]).toEqual([expect.stringContaining("CACHE_SIMILARITY_THRESHOLD")]);
    expect(await ttlOf(http)).toSatisfy(isFrom(10));

    const right = "CACHE_DEFAULT_TTL=30\nLOG_LEVEL=debug\nDATA_DIR=elsewhere\nREDIS_PASSWORD=hidden";
    const reloaded = await hangUp(server, right, '"reloaded"');
    expect(reloaded["changed"]).toEqual(["LOG_LEVEL: info -> debug", "CACHE_DEFAULT_TTL: 10 -> 30"]);
    const waiting = JSON.parse(await server.lineWith("require a restart")) as Record<string, unknown>;
    expect(waiting["settings"]).toEqual(["DATA_DIR: ./data -> elsewhere", "REDIS_PASSWORD"]);
    expect(await ttlOf(http)).toSatisfy(isFrom(30));

    server.process.kill("SIGTERM");
    expect(await server.exited).toBe(0);
    expect(server.stdout()).not.toContain("hidden");
  });

  it("applies thresholds, strategy and bounds of the cache on SIGHUP, also from the YAML file", async () => {
    const files = {
      ".env": "CACHE_SIMILARITY_THRESHOLD=0.99\nALIGNED=0.98",
      "config/memory_config.yaml": "cache:\n  aligned_threshold: $" + "{ALIGNED:-}",
    };
    await using server = await startProcess({}, { files });
    const { http } = JSON.parse(await server.lineWith('"serving"')) as { http: string };
    const scope = { model: "m" };
    const store = (text: string) =>
      call(http, "CacheService/StoreCacheEntry", { prompt: { text }, scope, response: "a" });
    const lookUp = async (text = "please, how can I cancel my order") => {
      const prompt = { text };
      const { hit, miss } = await call(http, "CacheService/LookupCache", { prompt, scope });
      return hit === undefined ? (miss as { reason: string }).reason : "hit";
    };
    await store("How do I cancel my order?");
    expect(await lookUp()).toBe("REASON_BELOW_THRESHOLD");
    await hangUp(server, "ALIGNED=0.4", "cache.aligned_threshold: 0.98 -> 0.4");
    expect(await lookUp()).toBe("hit");
    expect(await lookUp("How do I cancel no order?")).toBe("REASON_GUARD");
    await hangUp(server, "CACHE_GUARD=off\nCACHE_SIMILARITY_THRESHOLD=0.1", "CACHE_GUARD: balanced -> off");
    expect(await lookUp("How do I cancel no order?")).toBe("hit");
    expect(await (await fetch(`http://${http}/ready`)).text()).toContain("CACHE_GUARD=off");
    await hangUp(server, "CACHE_GUARD=strict", "CACHE_GUARD: off -> strict");
    expect(await (await fetch(`http://${http}/ready`)).text()).not.toContain("CACHE_GUARD");
    await hangUp(server, "CACHE_STRATEGY=exact", "CACHE_STRATEGY: hybrid -> exact");
    expect(await lookUp()).toBe("REASON_NOT_FOUND");
    await hangUp(server, "CACHE_MAX_ENTRIES=1", "CACHE_MAX_ENTRIES: 10000 -> 1");
    for (const text of ["one", "two"]) await store(text);
    const { entries } = await call(http, "CacheService/ListCacheEntries", {});
    expect(entries).toHaveLength(1);
    await hangUp(server, "CACHE_ENABLED=false", "CACHE_ENABLED: true -> false");
    expect(await lookUp()).toBe("REASON_DISABLED");
  });

  it("applies a new log level, and logs the change even to a higher level", async () => {
    await using server = await startProcess({}, { files: { ".env": "LOG_LEVEL=info" } });
    const { http } = JSON.parse(await server.lineWith('"serving"')) as { http: string };
    await ttlOf(http);
    await server.lineWith("StoreCacheEntry");
    await hangUp(server, "LOG_LEVEL=error", "LOG_LEVEL: info -> error");
    await ttlOf(http);
    await hangUp(server, "LOG_LEVEL=info", "LOG_LEVEL: error -> info");
    await ttlOf(http);
    server.process.kill("SIGTERM");
    await server.exited;
    // The calls before and after, but not the one in between.
    expect(server.stdout().match(/"[^"]*StoreCacheEntry"/g)).toHaveLength(2);
  });
});

describe.runIf(existsSync("/usr/bin/script"))("recollect serve in a terminal", () => {
  it("reloads on a sent SIGHUP, and stops on the SIGHUP of a closed terminal", async () => {
    const env = { LOG_FILE: "app.log", LOG_FORMAT: "json" };
    await using terminal = await startProcess(env, { terminal: true });
    const { http } = JSON.parse(await terminal.lineWith('"serving"')) as { http: string };
    const [server = ""] = (
      await readFile(`/proc/${terminal.process.pid}/task/${terminal.process.pid}/children`, "utf8")
    ).split(" ");
    process.kill(Number(server), "SIGHUP");
    await terminal.lineWith('"reloaded"');

    const [host = "", port = ""] = http.split(":");
    const connection = connect(Number(port), host);
    await once(connection, "connect");
    terminal.process.kill("SIGKILL");
    // The last resource that a stopping server closes.
    await once(connection.resume(), "close");
    const log = await readFile(join(terminal.directory, "app.log"), "utf8");
    expect(log).toContain("stopping");
  });
});

describe("recollect config check", () => {
  const check = async (
    env: Readonly<Record<string, string>>,
    files: Readonly<Record<string, string>>,
    ...args: readonly string[]
  ): Promise<EndedCommand> => {
    await using folder = await temporaryFolder(files);
    return await runCli(args, { address: "localhost:1", cwd: folder.path, env });
  };

  it("prints every setting with its source, secrets masked", async () => {
    const env = {
      GRPC_PORT: "0",
      CACHE_DEFAULT_TTL: "7",
      REDIS_PASSWORD: "hidden",
      REDIS_URL: "redis://hidden:hidden@shown:7000",
      MEMORY_BACKEND: "embedded",
    };
    const files = { ".env": "CACHE_STRATEGY=exact", "config/memory_config.yaml": "cache: { max_age: 60 }" };
    const args = ["--json", "config", "check", "--set", "LOG_LEVEL=WARNING"];
    const { code, stdout } = await check(env, files, ...args);
    expect(code).toBe(0);
    const lines = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { name: string; value: string; source: string });
    const line = (name: string) => lines.find((one) => one.name === name);
    expect(line("LOG_LEVEL")).toMatchObject({ value: "warn", source: "command line" });
    expect(line("CACHE_DEFAULT_TTL")).toMatchObject({ value: "7", source: "environment" });
    expect(line("CACHE_STRATEGY")).toMatchObject({ value: "exact", source: ".env" });
    expect(line("cache.max_age")).toMatchObject({ value: "60", source: "config/memory_config.yaml" });
    expect(line("GRPC_PORT")).toMatchObject({ value: "0" });
    expect(line("REDIS_PASSWORD")?.value).toBe("********");
    expect(line("REDIS_URL")?.value).toBe("redis://********@shown:7000");
    expect(line("LOG_FILE")?.value).toBe("none");
    expect(stdout).not.toContain("hidden");
  });

  it("prints a table, and warnings on stderr", async () => {
    const printed = await check({}, { ".env": "CACHE_EV POLICY=lru" }, "config", "check");
    expect(printed.code).toBe(0);
    expect(printed.stdout).toMatch(/^CACHE_EVICTION_POLICY +lru +\.env$/m);
    expect(printed.stderr).toContain("CACHE_EV POLICY");
  });

  it("exits with 2 and every error when serve would not start", async () => {
    const env = { GRPC_PORT: "many", LOG_LEVEL: "loud" };
    const refused = await check(env, {}, "config", "check");
    expect(refused.code).toBe(2);
    expect(refused.stderr.trim().split("\n")).toHaveLength(2);
    expect(refused.stdout).toBe("");
  });
});
