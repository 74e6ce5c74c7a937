import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  StoreCacheEntryResponse_NotStoredReason as NotStored,
  type StoreCacheEntryResponse,
} from "#gen/recollect/v1/cache_pb.js";
import { NOW } from "../support/builders.ts";
import { startApp, type TestApp } from "../support/start-app.ts";

const scope = { model: "m" };
const text = (value: string) => ({ prompt: { case: "text" as const, value } });

function store(
  app: TestApp,
  prompt: string,
  costUsd = 0,
  response = "yes",
): Promise<StoreCacheEntryResponse> {
  return app.cache.storeCacheEntry({
    prompt: text(prompt),
    origin: { case: "scope", value: scope },
    response,
    ...(costUsd === 0 ? {} : { usage: { costUsd } }),
  });
}

async function prompts(app: TestApp): Promise<string[]> {
  const { entries } = await app.cache.listCacheEntries({});
  return entries.map(({ prompt }) => prompt).sort();
}

/** The value of a metric in Prometheus' text. */
async function metric(app: TestApp, name: string): Promise<number> {
  const page = await (await fetch(`${app.httpUrl}/metrics`)).text();
  const line = page.split("\n").find((one) => one.startsWith(name) && !one.startsWith("#"));
  return Number(line?.split(" ").at(-1));
}

describe("a full namespace", () => {
  it("does not admit a cheap answer among dear ones by default, and says so", async () => {
    await using app = await startApp({ env: { CACHE_MAX_ENTRIES: "3" } });
    for (const prompt of ["a", "b", "c"]) {
      expect(await store(app, prompt, 0.5)).toMatchObject({ stored: true, replaced: false });
    }
    expect(await metric(app, "recollect_cache_full_namespaces")).toBe(0);
    const answer = await store(app, "cheap", 0.1);
    expect(answer).toMatchObject({ stored: false, notStoredReason: NotStored.NOT_ADMITTED, replaced: false });
    expect(answer.entry).toBeUndefined();
    const { outcome } = await app.cache.lookupCache({ prompt: text("cheap"), scope });
    expect(outcome.case).toBe("miss");
    expect(await store(app, "dear", 0.6)).toMatchObject({ stored: true });
    expect(await prompts(app)).toHaveLength(3);
    expect(await metric(app, 'recollect_cache_not_stored_total{reason="NOT_ADMITTED"')).toBe(1);
    expect(await metric(app, 'recollect_cache_evictions_total{reason="capacity"')).toBe(1);
    expect(await metric(app, "recollect_cache_full_namespaces")).toBe(1);
  });

  it("is logged once, without a prompt", async () => {
    await using app = await startApp({
      env: { CACHE_MAX_ENTRIES: "1", CACHE_EVICTION_POLICY: "lru", LOG_LEVEL: "info", LOG_FILE: "app.log" },
      configure: (config) => ({ ...config, log: { ...config.log, file: join(config.dataDir, "app.log") } }),
    });
    const file = join(app.dataDir, "app.log");
    for (const prompt of ["first secret", "second secret", "third secret"]) await store(app, prompt);
    await app.stop();
    const lines = (await readFile(file, "utf8"))
      .split("\n")
      .filter((line) => line.includes("cache namespace is full"));
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? "")).toMatchObject({
      namespace: "default",
      max_entries: 1,
      eviction_policy: "LRU",
    });
    expect(lines[0]).not.toContain("secret");
  });

  it("evicts by the policy of a restart, what was stored before it first", async () => {
    let now = NOW;
    const overrides = { clock: { now: () => now } };
    const start = (policy: string, dataDir?: string): Promise<TestApp> =>
      startApp({
        overrides,
        env: { CACHE_MAX_ENTRIES: "3", CACHE_EVICTION_POLICY: policy },
        ...(dataDir === undefined ? {} : { dataDir }),
      });
    await using first = await start("fifo");
    for (const prompt of ["a", "b", "c"]) {
      now += 1;
      await store(first, prompt);
    }
    await first.stop();
    await using second = await start("lfu", first.dataDir);
    const hit = async (prompt: string): Promise<void> => {
      now += 1;
      const { outcome } = await second.cache.lookupCache({ prompt: text(prompt), scope });
      expect(outcome.case).toBe("hit");
    };
    await store(second, "d");
    expect(await prompts(second)).toEqual(["b", "c", "d"]);
    await hit("b");
    await hit("d");
    await hit("d");
    await store(second, "e");
    expect(await prompts(second)).toEqual(["b", "d", "e"]);
    await hit("e");
    await hit("e");
    await store(second, "f");
    expect(await prompts(second)).toEqual(["d", "e", "f"]);
  });
});

describe("a bound on bytes", () => {
  it("evicts, and does not store an answer that is larger", async () => {
    // Vectors of 384 numbers take 1,536 bytes each.
    await using app = await startApp({ env: { CACHE_MAX_BYTES: "8000", CACHE_EVICTION_POLICY: "lru" } });
    for (const prompt of ["a", "b", "c"]) await store(app, prompt, 0, "r".repeat(1000));
    expect(await prompts(app)).toEqual(["a", "b", "c"]);
    await store(app, "d", 0, "r".repeat(1000));
    expect(await prompts(app)).toEqual(["b", "c", "d"]);
    expect(await store(app, "large", 0, "r".repeat(8000))).toMatchObject({
      stored: false,
      notStoredReason: NotStored.TOO_LARGE,
    });
    expect(await prompts(app)).toEqual(["b", "c", "d"]);
    expect((await app.cache.getCacheStats({})).byteCount).toBeLessThanOrEqual(8000n);
  });
});
