import type { MessageInitShape } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type CacheEntry,
  CacheStrategy,
  type ListCacheEntriesRequestSchema,
} from "#gen/recollect/v1/cache_pb.js";
import { refusalOf } from "../support/errors.ts";
import { startApp, type TestApp } from "../support/start-app.ts";

const NOW = Date.UTC(2026, 0, 2);
const scope = { model: "gpt-5" };

function text(value: string): { prompt: { case: "text"; value: string } } {
  return { prompt: { case: "text", value } };
}

describe("cache entries", () => {
  let app: TestApp;
  let now = NOW;
  beforeAll(async () => {
    const env = { CACHE_MAX_ENTRIES: "60", CACHE_EVICTION_POLICY: "lru" };
    app = await startApp({ overrides: { clock: { now: () => now } }, env });
  });
  afterAll(async () => {
    await app[Symbol.asyncDispose]();
  });

  /** Stores an entry a millisecond after the previous one. */
  async function store(namespace: string, prompt: string, change: object = {}): Promise<CacheEntry> {
    now += 1;
    const { entry } = await app.cache.storeCacheEntry({
      namespace,
      prompt: text(prompt),
      origin: { case: "scope", value: scope },
      response: `the answer to ${prompt}`,
      ...change,
    });
    if (entry === undefined) throw new Error("no entry was returned");
    return entry;
  }

  async function walk(request: MessageInitShape<typeof ListCacheEntriesRequestSchema>): Promise<string[]> {
    const seen: string[] = [];
    let pageToken = "";
    do {
      const page = await app.cache.listCacheEntries({ ...request, pageToken });
      seen.push(...page.entries.map(({ prompt }) => prompt));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    return seen;
  }

  const stats = (namespace: string): ReturnType<typeof app.cache.getCacheStats> =>
    app.cache.getCacheStats({ namespace });

  describe("GetCacheEntry", () => {
    it("returns the entry that was stored, with its response", async () => {
      const { id, etag } = await store("get", "What is what?", {
        tags: ["a"],
        metadata: { source: "x" },
        usage: { promptTokens: 3 },
      });
      const { entry } = await app.cache.getCacheEntry({ namespace: "get", id });
      expect(entry).toMatchObject({
        id,
        etag,
        namespace: "get",
        prompt: "What is what?",
        response: "the answer to What is what?",
        model: "gpt-5",
        tags: ["a"],
        metadata: { source: "x" },
        usage: { promptTokens: 3 },
      });
    });

    it("refuses unknown and expired entries", async () => {
      const { id } = await store("get", "How long?", { ttl: { seconds: 60n } });
      const refusal = {
        code: "NotFound",
        reason: "CACHE_ENTRY_NOT_FOUND",
        metadata: { id, namespace: "get" },
      };
      expect(await refusalOf(app.cache.getCacheEntry({ namespace: "never", id }))).toMatchObject({
        ...refusal,
        metadata: { id, namespace: "never" },
      });
      now += 60_000;
      expect(await refusalOf(app.cache.getCacheEntry({ namespace: "get", id }))).toMatchObject(refusal);
    });

    it.each([
      ["an empty id", { id: "" }, "id"],
      ["an id over 128 characters", { id: "x".repeat(129) }, "id"],
      ["a bad namespace", { id: "x", namespace: "No" }, "namespace"],
    ])("refuses %s and names the field", async (_, request, field) => {
      expect(await refusalOf(app.cache.getCacheEntry(request))).toMatchObject({
        code: "InvalidArgument",
        reason: "REQUEST_INVALID",
        fields: [field],
      });
    });
  });

  describe("ListCacheEntries", () => {
    it("pages through all entries, newest first", async () => {
      const prompts = Array.from({ length: 55 }, (_, index) => `q${index}`);
      for (const prompt of prompts) await store("list", prompt);
      const newestFirst = [...prompts].reverse();
      const first = await app.cache.listCacheEntries({ namespace: "list" });
      expect(first.entries.map(({ prompt }) => prompt)).toEqual(newestFirst.slice(0, 50));
      expect(first.entries[0]).toMatchObject({ namespace: "list", response: "the answer to q54" });
      expect(await walk({ namespace: "list", pageSize: 7 })).toEqual(newestFirst);
      const clamped = await app.cache.listCacheEntries({ namespace: "list", pageSize: 2_000_000_000 });
      expect([clamped.entries.length, clamped.nextPageToken]).toEqual([55, ""]);
    });

    it("neither repeats an entry that is replaced nor hides an older one", async () => {
      for (const prompt of ["a", "b", "c", "d"]) await store("replaced", prompt);
      const first = await app.cache.listCacheEntries({ namespace: "replaced", pageSize: 2 });
      expect(first.entries.map(({ prompt }) => prompt)).toEqual(["d", "c"]);
      await store("replaced", "c");
      const rest = await app.cache.listCacheEntries({
        namespace: "replaced",
        pageSize: 5,
        pageToken: first.nextPageToken,
      });
      expect(rest.entries.map(({ prompt }) => prompt)).toEqual(["b", "a"]);
      expect(await walk({ namespace: "replaced" })).toEqual(["c", "d", "b", "a"]);
    });

    it("filters by model and by tags, and leaves out expired entries", async () => {
      await store("filter", "a", { tags: ["x"] });
      await store("filter", "b", { tags: ["y"], ttl: { seconds: 3600n } });
      await store("filter", "c", { tags: ["x"], origin: { case: "scope", value: { model: "other" } } });
      await store("filter", "d", { ttl: { seconds: 1n } });
      expect(await walk({ namespace: "filter" })).toEqual(["d", "c", "b", "a"]);
      now += 1000;
      expect(await walk({ namespace: "filter" })).toEqual(["c", "b", "a"]);
      expect(await walk({ namespace: "filter", tagsAny: ["x", "z"], pageSize: 1 })).toEqual(["c", "a"]);
      expect(await walk({ namespace: "filter", model: "gpt-5" })).toEqual(["b", "a"]);
      expect(await walk({ namespace: "filter", model: "other", tagsAny: ["y"] })).toEqual([]);
      expect(await walk({ namespace: "never" })).toEqual([]);
    });

    it("ends a page early to stay within the message limit", async () => {
      const prompts = Array.from({ length: 20 }, (_, index) => `large ${index}`);
      for (const prompt of prompts) await store("large", prompt, { response: "x".repeat(1024 * 1024) });
      const first = await app.cache.listCacheEntries({ namespace: "large", pageSize: 1000 });
      expect(first.entries.length).toBeLessThan(3);
      expect(await walk({ namespace: "large", pageSize: 1000 })).toEqual([...prompts].reverse());
    });

    it("accepts a page token only for the same request, with any page size and order of tags", async () => {
      for (const prompt of ["a", "b", "c"]) await store("token", prompt, { tags: ["x", "y"] });
      const request = { namespace: "token", tagsAny: ["x", "y"], pageSize: 1 };
      const { nextPageToken: pageToken } = await app.cache.listCacheEntries(request);
      const again = await app.cache.listCacheEntries({
        ...request,
        pageToken,
        tagsAny: ["y", "x"],
        pageSize: 2,
      });
      expect(again.entries.map(({ prompt }) => prompt)).toEqual(["b", "a"]);
      const memories = await app.memory.listMemories({ namespace: "token", pageSize: 1 });
      expect(memories.nextPageToken).toBe("");
      for (const change of [
        { namespace: "list" },
        { tagsAny: ["x"] },
        { model: "gpt-5" },
        { pageToken: "nonsense" },
      ]) {
        const refusal = await refusalOf(app.cache.listCacheEntries({ ...request, pageToken, ...change }));
        expect(refusal).toMatchObject({ code: "InvalidArgument", reason: "PAGE_TOKEN_INVALID" });
      }
      // A token of another list method for an otherwise equal request.
      const foreign = app.memory.listMemories({ namespace: "token", pageToken });
      expect(await refusalOf(foreign)).toMatchObject({ reason: "PAGE_TOKEN_INVALID" });
    });

    it.each([
      ["a negative page size", { pageSize: -1 }, "page_size"],
      ["a token over 1,024 characters", { pageToken: "x".repeat(1025) }, "page_token"],
      ["a model over 200 bytes", { model: "é".repeat(101) }, "model"],
      ["too many tags", { tagsAny: Array.from({ length: 33 }, (_, index) => `${index}`) }, "tags_any"],
      ["the same tag twice", { tagsAny: ["a", "a"] }, "tags_any"],
      ["an empty tag", { tagsAny: [""] }, "tags_any[0]"],
      ["a tag over 64 characters", { tagsAny: ["x".repeat(65)] }, "tags_any[0]"],
    ])("refuses %s and names the field", async (_, request, field) => {
      expect(await refusalOf(app.cache.listCacheEntries(request))).toMatchObject({
        code: "InvalidArgument",
        reason: "REQUEST_INVALID",
        fields: [field],
      });
    });
  });

  describe("DeleteCacheEntry", () => {
    const look = async (prompt: string): Promise<string | undefined> =>
      (await app.cache.lookupCache({ namespace: "delete", prompt: text(prompt), scope })).outcome.case;

    it("deletes an entry permanently", async () => {
      const { id } = await store("delete", "Who goes?");
      expect(await look("Who goes?")).toBe("hit");
      await app.cache.deleteCacheEntry({ namespace: "delete", id });
      expect(await look("Who goes?")).toBe("miss");
      expect(await refusalOf(app.cache.deleteCacheEntry({ namespace: "delete", id }))).toMatchObject({
        code: "NotFound",
        reason: "CACHE_ENTRY_NOT_FOUND",
        metadata: { id, namespace: "delete" },
      });
    });

    it("keeps an entry that was replaced since its etag was read", async () => {
      const { id, etag } = await store("delete", "Which one?");
      const replaced = await store("delete", "Which one?", { response: "another" });
      expect(await refusalOf(app.cache.deleteCacheEntry({ namespace: "delete", id, etag }))).toMatchObject({
        code: "Aborted",
        reason: "ETAG_MISMATCH",
        metadata: { id, current_etag: replaced.etag },
      });
      await app.cache.deleteCacheEntry({ namespace: "delete", id, etag: replaced.etag });
      expect(await look("Which one?")).toBe("miss");
    });

    it("changes nothing when the request is replayed", async () => {
      const { id } = await store("delete", "Again?");
      const request = { namespace: "delete", id, requestId: "r1" };
      await Promise.all(Array.from({ length: 10 }, () => app.cache.deleteCacheEntry(request)));
      await store("delete", "Again?");
      await app.cache.deleteCacheEntry(request);
      expect(await look("Again?")).toBe("hit");
      expect(await refusalOf(app.cache.deleteCacheEntry({ ...request, id: "another" }))).toMatchObject({
        code: "InvalidArgument",
        reason: "REQUEST_ID_REUSED",
        fields: ["request_id"],
      });
    });

    it.each([
      ["an empty id", { id: "" }, "id"],
      ["an etag over 64 characters", { id: "x", etag: "x".repeat(65) }, "etag"],
      ["an empty request_id", { id: "x", requestId: "" }, "request_id"],
    ])("refuses %s and names the field", async (_, request, field) => {
      expect(await refusalOf(app.cache.deleteCacheEntry(request))).toMatchObject({
        code: "InvalidArgument",
        reason: "REQUEST_INVALID",
        fields: [field],
      });
    });
  });

  describe("GetCacheStats", () => {
    it("counts entries, bytes, lookups and stores", async () => {
      const empty = { entryCount: 0, byteCount: 0n, exactHits: 0n, semanticHits: 0n, misses: 0n, stores: 0n };
      expect(await stats("stats")).toMatchObject({ ...empty, evictions: 0n, maxEntries: 60 });
      const prompt = "How do I cancel my order of 3 books?";
      await store("stats", prompt, { response: "Open Orders." });
      await store("stats", prompt, { response: "Open Orders, choose Cancel." });
      const look = async (asked: string, options: object = {}): Promise<void> => {
        await app.cache.lookupCache({ namespace: "stats", prompt: text(asked), scope, options });
      };
      await look(prompt);
      await look(prompt);
      await look("please, how do I cancel my order of three books");
      await look("Where is the station?");
      await look(prompt, { shadow: true });
      expect(await stats("stats")).toMatchObject({
        entryCount: 1,
        // Two texts, {} of metadata, and 384 numbers.
        byteCount: BigInt(prompt.length + "Open Orders, choose Cancel.".length + 2 + 4 * 384),
        exactHits: 2n,
        semanticHits: 1n,
        misses: 2n,
        stores: 2n,
        evictions: 0n,
      });
    });

    it("refuses a bad namespace", async () => {
      expect(await refusalOf(stats("No"))).toMatchObject({
        reason: "REQUEST_INVALID",
        fields: ["namespace"],
      });
    });
  });

  it("of a full namespace are evicted by least recent use", async () => {
    const prompts = Array.from({ length: 60 }, (_, index) => `What is number ${index}?`);
    for (const prompt of prompts) await store("full", prompt);
    const look = async (prompt: string): Promise<string | undefined> => {
      now += 1;
      const options = { strategy: CacheStrategy.EXACT };
      return (await app.cache.lookupCache({ namespace: "full", prompt: text(prompt), scope, options }))
        .outcome.case;
    };
    expect(await look("What is number 0?")).toBe("hit");
    const before = await metric("recollect_cache_evictions_total", "capacity");
    await Promise.all(Array.from({ length: 10 }, (_, index) => store("full", `What comes ${index} later?`)));
    expect(await stats("full")).toMatchObject({ entryCount: 60, stores: 70n, evictions: 10n });
    expect(await metric("recollect_cache_evictions_total", "capacity")).toBe(before + 10);
    expect(await look("What is number 0?")).toBe("hit");
    for (const index of [1, 5, 10]) expect(await look(`What is number ${index}?`)).toBe("miss");
    expect(await look("What is number 11?")).toBe("hit");
    expect(await walk({ namespace: "full", pageSize: 1000 })).toHaveLength(60);
  });

  async function metric(name: string, reason: string): Promise<number> {
    const page = await (await fetch(`${app.httpUrl}/metrics`)).text();
    return Number(new RegExp(`^${name}{reason="${reason}"[^}]*} (\\d+)`, "m").exec(page)?.[1]);
  }
});

describe("a restarted cache", () => {
  it("keeps entries, counts and last uses, and evicts down to a lower bound", async () => {
    let now = NOW;
    const overrides = { clock: { now: () => now } };
    const lru = { CACHE_EVICTION_POLICY: "lru" };
    await using first = await startApp({ overrides, env: lru });
    const { dataDir } = first;
    const store = async (app: TestApp, prompt: string): Promise<void> => {
      now += 1;
      const origin = { case: "scope" as const, value: scope };
      await app.cache.storeCacheEntry({ prompt: text(prompt), origin, response: "yes" });
    };
    for (const prompt of ["a", "b", "c"]) await store(first, prompt);
    now += 1;
    await first.cache.lookupCache({ prompt: text("a"), scope, options: { strategy: CacheStrategy.EXACT } });
    await first.stop();
    await using second = await startApp({ overrides, dataDir, env: { ...lru, CACHE_MAX_ENTRIES: "2" } });
    expect(await second.cache.getCacheStats({})).toMatchObject({
      entryCount: 3,
      exactHits: 1n,
      stores: 3n,
      maxEntries: 2,
    });
    await store(second, "d");
    const { entries } = await second.cache.listCacheEntries({});
    expect(entries.map(({ prompt }) => prompt)).toEqual(["d", "a"]);
    expect(await second.cache.getCacheStats({})).toMatchObject({ entryCount: 2, evictions: 2n });
  });

  it("that is disabled still returns, counts and deletes entries, and counts no lookup", async () => {
    await using first = await startApp();
    const { dataDir } = first;
    const origin = { case: "scope" as const, value: scope };
    await first.cache.storeCacheEntry({ prompt: text("a"), origin, response: "yes" });
    await first.stop();
    await using off = await startApp({ dataDir, env: { CACHE_ENABLED: "false" } });
    await off.cache.lookupCache({ prompt: text("a"), scope });
    const [entry] = (await off.cache.listCacheEntries({})).entries;
    const id = entry?.id ?? "";
    expect(await off.cache.getCacheStats({})).toMatchObject({ entryCount: 1, misses: 0n });
    expect((await off.cache.getCacheEntry({ id })).entry?.response).toBe("yes");
    await off.cache.deleteCacheEntry({ id });
    expect(await off.cache.getCacheStats({})).toMatchObject({ entryCount: 0 });
  });
});
