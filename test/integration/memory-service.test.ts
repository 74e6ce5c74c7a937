import { timestampDate, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  Memory_Kind as Kind,
  Memory_State,
  SearchMemoriesRequest_Mode as Mode,
  OnDuplicate,
  SearchPlan_SizeBasis as SizeBasis,
  SearchPlan_VectorPolicy as VectorPolicy,
} from "#gen/recollect/v1/memory_pb.js";
import { vectorToBytes } from "../../src/domain/embedding/vector.ts";
import { onRedis } from "../support/backend-of-run.ts";
import { refusalOf } from "../support/errors.ts";
import { startApp, type TestApp } from "../support/start-app.ts";

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5, 678);

describe("MemoryService", () => {
  let app: TestApp;
  let now = NOW;
  beforeAll(async () => {
    app = await startApp({ overrides: { clock: { now: () => now } } });
  });
  afterAll(async () => {
    await app[Symbol.asyncDispose]();
  });

  it("stores a memory with its defaults and returns it by id", async () => {
    const { memory, duplicate } = await app.memory.createMemory({
      memory: { text: "Ana is allergic to nuts" },
    });
    expect(duplicate).toBe(false);
    expect(memory).toMatchObject({
      namespace: "default",
      text: "Ana is allergic to nuts",
      kind: Kind.SEMANTIC,
      importance: 0.5,
      state: Memory_State.ACTIVE,
      embedding: { provider: "hashing", dimension: 384 },
    });
    expect(memory?.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-/);
    expect(memory?.createTime && timestampDate(memory.createTime).getTime()).toBe(NOW);
    const { memory: read } = await app.memory.getMemory({ id: memory?.id ?? "" });
    expect(read).toEqual(memory);
  });

  it("stores every field that a caller sets", async () => {
    const given = {
      id: "given:1",
      text: "  verbatim, spaces and\ttabs kept \u{1f95c}",
      kind: Kind.MESSAGE,
      userId: "ana",
      agentId: "planner",
      sessionId: "s-1",
      role: "user",
      author: "Ana",
      tags: ["b", "a"],
      metadata: { nested: { list: [1, "two", null] }, flag: true },
      importance: 0.25,
      pinned: true,
      eventTime: timestampFromMs(NOW - 1),
      validFrom: timestampFromMs(NOW - 5),
      validUntil: timestampFromMs(NOW + 5),
      sourceIds: ["x"],
    };
    const { memory } = await app.memory.createMemory({
      namespace: "fields",
      memory: { ...given, expiration: { case: "ttl", value: { seconds: 60n } } },
    });
    expect(memory).toMatchObject({ ...given, sessionPosition: 1, namespace: "fields" });
    expect(memory?.expiration).toMatchObject({ case: "expireTime", value: timestampFromMs(NOW + 60_000) });
  });

  it("returns the existing memory for a duplicate text", async () => {
    const text = "The office is in Lisbon";
    const first = await app.memory.createMemory({ namespace: "twice", memory: { text } });
    const again = await app.memory.createMemory({
      namespace: "twice",
      memory: { text: " the OFFICE is  in Lisbon" },
    });
    expect(again).toMatchObject({ duplicate: true, memory: { id: first.memory?.id, text } });
    const refused = await refusalOf(
      app.memory.createMemory({ namespace: "twice", memory: { text }, onDuplicate: OnDuplicate.REFUSE }),
    );
    expect(refused).toMatchObject({
      code: "AlreadyExists",
      reason: "MEMORY_DUPLICATE",
      metadata: { existing_id: first.memory?.id },
    });
    const messages = await Promise.all(
      [1, 2].map(() =>
        app.memory.createMemory({ namespace: "twice", memory: { text: "ok", kind: Kind.MESSAGE } }),
      ),
    );
    expect(new Set(messages.map(({ memory }) => memory?.id)).size).toBe(2);
  });

  it("lets a duplicate extend and tag the existing memory, and names the differing fields", async () => {
    const namespace = "duplicates";
    const text = "Die Adresse ist Bahnhofstraße 1";
    const ttl = { case: "ttl", value: { seconds: 60n } } as const;
    const first = await app.memory.createMemory({
      namespace,
      memory: { text, tags: ["a"], expiration: ttl },
    });
    const folded = { text: "die adresse ist  BAHNHOFSTRASSE 1", tags: ["b"], importance: 0.9, pinned: true };
    const request = { namespace, memory: folded, requestId: "r" };
    const again = await app.memory.createMemory(request);
    expect(again).toMatchObject({
      duplicate: true,
      differs: ["text", "importance", "pinned"],
      memory: {
        id: first.memory?.id,
        text,
        tags: ["a", "b"],
        pinned: false,
        expiration: { case: undefined },
      },
    });
    expect(again.memory?.etag).not.toBe(first.memory?.etag);
    expect(await app.memory.createMemory(request)).toEqual(again);
    const overHttp = await fetch(`${app.httpUrl}/recollect.v1.MemoryService/CreateMemory`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ namespace, memory: { ...folded, pinned: false, tags: ["a"] } }),
    });
    expect(await overHttp.json()).toMatchObject({
      duplicate: true,
      differs: ["text", "importance"],
      memory: { id: first.memory?.id, etag: again.memory?.etag },
    });
    const { results } = await app.memory.batchCreateMemories({
      namespace,
      memories: [
        { text, tags: ["c"], expiration: ttl },
        { text: "new", tags: ["x"] },
        { text: "NEW", tags: ["y"], sourceIds: ["s"] },
      ],
    });
    expect(results.map(({ duplicate, differs }) => [duplicate, differs])).toEqual([
      [true, ["expire_time"]],
      [false, []],
      [true, ["text", "source_ids"]],
    ]);
    const tags = results.map(({ outcome }) => outcome.case === "memory" && outcome.value.tags);
    expect(tags).toEqual([
      ["a", "b", "c"],
      ["x", "y"],
      ["x", "y"],
    ]);
    const { memories } = await app.memory.listMemories({ namespace, filter: { tagsAll: ["a", "b", "c"] } });
    expect(memories.map(({ id, expiration }) => [id, expiration.case])).toEqual([
      [first.memory?.id, undefined],
    ]);
  });

  it.each([
    { agentId: "b" },
    { sessionId: "s" },
    { userId: "u" },
    { author: "Ann" },
    { role: "user" },
    { eventTime: timestampFromMs(NOW) },
    { validFrom: timestampFromMs(NOW) },
    { validUntil: timestampFromMs(NOW) },
  ])("stores a text again with a different %o, and finds it by that filter", async (other) => {
    const namespace = "origins";
    const text = `The door code is 1234, in ${Object.keys(other).join()}`;
    const first = await app.memory.createMemory({ namespace, memory: { text } });
    const second = await app.memory.createMemory({ namespace, memory: { text, ...other } });
    expect([first.duplicate, second.duplicate]).toEqual([false, false]);
    const third = await app.memory.createMemory({ namespace, memory: { text, ...other } });
    expect(third).toMatchObject({ duplicate: true, differs: [], memory: second.memory });
  });

  it("answers each item of a batch on its own", async () => {
    const { results } = await app.memory.batchCreateMemories({
      namespace: "batch",
      memories: [
        { text: "one" },
        { text: "" },
        { id: "taken", text: "two" },
        { id: "taken", text: "three" },
        { text: "one" },
        { text: "four", supersedes: ["x"] },
        { text: "five", expiration: { case: "expireTime", value: timestampFromMs(NOW - 1) } },
      ],
    });
    expect(results.map(({ outcome, duplicate }) => [outcome.case, duplicate])).toEqual([
      ["memory", false],
      ["error", false],
      ["memory", false],
      ["error", false],
      ["memory", true],
      ["error", false],
      ["error", false],
    ]);
    const codes = results.flatMap(({ outcome }) => (outcome.case === "error" ? [outcome.value.code] : []));
    expect(codes).toEqual([3, 6, 5, 3]);
    const { memories } = await app.memory.listMemories({ namespace: "batch" });
    expect(memories.map(({ text }) => text).sort()).toEqual(["one", "two"]);
  });

  it("replays a request with the same request_id without storing again", async () => {
    const request = { namespace: "repeat", memory: { text: "ok", kind: Kind.MESSAGE }, requestId: "r-1" };
    const answers = await Promise.all(Array.from({ length: 10 }, () => app.memory.createMemory(request)));
    expect(new Set(answers.map(({ memory }) => memory?.id)).size).toBe(1);
    const { memories } = await app.memory.listMemories({ namespace: "repeat" });
    expect(memories).toHaveLength(1);
    const reused = await refusalOf(app.memory.createMemory({ ...request, memory: { text: "another" } }));
    expect(reused).toMatchObject({ code: "InvalidArgument", reason: "REQUEST_ID_REUSED" });
  });

  it("lists newest first, page by page, undisturbed by later writes", async () => {
    for (let index = 0; index < 7; index += 1) {
      now = NOW + index;
      await app.memory.createMemory({ namespace: "pages", memory: { text: `memory ${index}` } });
    }
    const first = await app.memory.listMemories({ namespace: "pages", pageSize: 3 });
    now = NOW + 100;
    await app.memory.createMemory({ namespace: "pages", memory: { text: "later" } });
    const seen = first.memories.map(({ text }) => text);
    let pageToken = first.nextPageToken;
    while (pageToken !== "") {
      const page = await app.memory.listMemories({ namespace: "pages", pageSize: 3, pageToken });
      seen.push(...page.memories.map(({ text }) => text));
      pageToken = page.nextPageToken;
    }
    expect(seen).toEqual([6, 5, 4, 3, 2, 1, 0].map((index) => `memory ${index}`));
    const elsewhere = app.memory.listMemories({ namespace: "other", pageToken: first.nextPageToken });
    expect(await refusalOf(elsewhere)).toMatchObject({
      code: "InvalidArgument",
      reason: "PAGE_TOKEN_INVALID",
    });
    now = NOW;
  });

  it("deletes permanently, and only the version with the given etag", async () => {
    const { memory } = await app.memory.createMemory({ namespace: "gone", memory: { text: "soon gone" } });
    const id = memory?.id ?? "";
    const stale = app.memory.deleteMemory({ namespace: "gone", id, etag: "not-this" });
    expect(await refusalOf(stale)).toMatchObject({
      code: "Aborted",
      reason: "ETAG_MISMATCH",
      metadata: { current_etag: memory?.etag },
    });
    await app.memory.deleteMemory({ namespace: "gone", id, etag: memory?.etag ?? "" });
    const missing = { code: "NotFound", reason: "MEMORY_NOT_FOUND", metadata: { id, namespace: "gone" } };
    expect(await refusalOf(app.memory.getMemory({ namespace: "gone", id }))).toMatchObject(missing);
    expect(await refusalOf(app.memory.deleteMemory({ namespace: "gone", id }))).toMatchObject(missing);
  });

  it("no longer returns a memory that has expired", async () => {
    const { memory } = await app.memory.createMemory({
      namespace: "expiry",
      memory: { text: "short-lived", expiration: { case: "ttl", value: { seconds: 10n } } },
    });
    const search = (): ReturnType<typeof app.memory.searchMemories> =>
      app.memory.searchMemories({
        namespace: "expiry",
        query: { by: { case: "text", value: "short-lived" } },
      });
    expect((await search()).results).toHaveLength(1);
    now = NOW + 10_000;
    expect((await search()).results).toHaveLength(0);
    expect(
      await refusalOf(app.memory.getMemory({ namespace: "expiry", id: memory?.id ?? "" })),
    ).toMatchObject({
      reason: "MEMORY_NOT_FOUND",
    });
    now = NOW;
  });

  describe("SearchMemories", () => {
    const namespace = "search";
    const texts = [
      { id: "nuts", text: "Ana is allergic to nuts", userId: "ana", tags: ["health"] },
      { id: "coffee", text: "Ben drinks coffee without sugar", userId: "ben", tags: ["food"] },
      { id: "lisbon", text: "The next offsite takes place in Lisbon", sessionId: "s1", kind: Kind.EPISODIC },
      {
        id: "deploy",
        text: "Deployments run on Tuesdays at noon",
        kind: Kind.PROCEDURAL,
        tags: ["work", "health"],
      },
    ];
    beforeAll(async () => {
      await app.memory.batchCreateMemories({ namespace, memories: texts });
    });
    const find = async (value: string, more: object = {}): Promise<string[]> => {
      const { results } = await app.memory.searchMemories({
        namespace,
        query: { by: { case: "text", value } },
        ...more,
      });
      return results.map(({ memory }) => memory?.id ?? "");
    };

    it.each([Mode.UNSPECIFIED, Mode.HYBRID, Mode.VECTOR, Mode.KEYWORD])("finds by mode %i", async (mode) => {
      expect((await find("who is allergic to nuts?", { mode }))[0]).toBe("nuts");
    });

    it("finds by keyword only memories with a word of the query, in any inflection", async () => {
      expect(await find("deployment", { mode: Mode.KEYWORD })).toEqual(["deploy"]);
      expect(await find("unheard of", { mode: Mode.KEYWORD })).toEqual([]);
    });

    it("filters by user, session, kind and tags", async () => {
      const any = "Ana Ben Lisbon Tuesdays";
      expect(await find(any, { filter: { userId: "ben" } })).toEqual(["coffee"]);
      expect(await find(any, { filter: { sessionId: "s1" } })).toEqual(["lisbon"]);
      expect(await find(any, { filter: { kinds: [Kind.PROCEDURAL, Kind.EPISODIC] } })).toHaveLength(2);
      expect((await find(any, { filter: { tagsAny: ["health"] } })).sort()).toEqual(["deploy", "nuts"]);
      expect(await find(any, { filter: { tagsAll: ["health", "work"] } })).toEqual(["deploy"]);
      expect((await find(any, { filter: { tagsNone: ["health"] } })).sort()).toEqual(["coffee", "lisbon"]);
    });

    it("finds memories similar to a memory, without the memory itself", async () => {
      const { results } = await app.memory.searchMemories({
        namespace,
        query: { by: { case: "memoryId", value: "nuts" } },
      });
      expect(results.map(({ memory }) => memory?.id)).not.toContain("nuts");
      expect(results.length).toBe(3);
    });

    it("accepts a vector as bytes and returns the nearest memories", async () => {
      const vector = Float32Array.from({ length: 384 }, (_, index) => Math.sin(index));
      const { results } = await app.memory.searchMemories({
        namespace,
        query: { by: { case: "vector", value: vectorToBytes(vector) } },
        limit: 2,
      });
      expect(results).toHaveLength(2);
      expect(results[0]?.similarity).toBeGreaterThanOrEqual(results[1]?.similarity ?? 1);
    });

    it("omits results below min_similarity", async () => {
      const all = await app.memory.searchMemories({
        namespace,
        query: { by: { case: "text", value: "Ana nuts" } },
      });
      const best = all.results[0]?.similarity ?? 0;
      expect(await find("Ana nuts", { minSimilarity: best - 0.01 })).toEqual(["nuts"]);
    });

    it("prefers results that differ with diversity, and says how alike they are", async () => {
      const namespace = "diverse";
      const texts = ["Ana is allergic to nuts", "Ana is allergic to nuts!", "Ana drinks tea"];
      await app.memory.batchCreateMemories({
        namespace,
        memories: texts.map((text) => ({ text, kind: Kind.MESSAGE })),
      });
      const search = async (diversity: number) =>
        (
          await app.memory.searchMemories({
            namespace,
            query: { by: { case: "text", value: "What is Ana allergic to?" } },
            limit: 2,
            diversity,
            explain: true,
          })
        ).results;
      expect((await search(0)).map(({ memory }) => memory?.text).sort()).toEqual(texts.slice(0, 2));
      const diverse = await search(0.6);
      expect(diverse.map(({ memory }) => memory?.text)).toContain("Ana drinks tea");
      const [first, second] = diverse.map(({ explanation }) => explanation?.redundancy ?? -1);
      expect(first).toBe(0);
      expect(second).toBeLessThan(0.9);
      const all = await app.memory.searchMemories({
        namespace,
        query: { by: { case: "text", value: "What is Ana allergic to?" } },
        diversity: 0.6,
        minSimilarity: diverse[1]?.similarity ?? 1,
      });
      expect(all.results.length).toBeGreaterThan(0);
      expect(all.results.every(({ similarity = 0 }) => similarity >= (diverse[1]?.similarity ?? 1))).toBe(
        true,
      );
    });

    it("explains a score by its parts", async () => {
      const { results } = await app.memory.searchMemories({
        namespace,
        query: { by: { case: "text", value: "allergic nuts" } },
        importanceWeight: 1,
        explain: true,
      });
      const [best] = results;
      expect(best?.explanation).toMatchObject({
        vectorRank: 1,
        keywordRank: 1,
        matchedTerms: ["allerg", "nut"],
      });
      const { fusedScore = 0, recencyBoost = 0, importanceBoost = 0 } = best?.explanation ?? {};
      expect(best?.score).toBeCloseTo(fusedScore * recencyBoost * importanceBoost, 5);
      expect(importanceBoost).toBeCloseTo(1.1, 5);
    });

    it("returns the plan of a search with explain, and not without", async () => {
      const query = { by: { case: "text" as const, value: "allergic nuts unheard" } };
      const { plan } = await app.memory.searchMemories({ namespace, query, explain: true });
      expect(plan).toMatchObject({
        vectorRetriever: {
          policy: onRedis() ? VectorPolicy.ADHOC_BF : VectorPolicy.EXACT,
          candidates: 0,
          eligibleCount: 4,
        },
        keywordRetriever: { commonTerms: [] },
        fullScan: false,
      });
      expect(plan?.keywordRetriever?.terms.toSorted()).toEqual(["allerg", "nut"]);
      expect(plan?.rounds).toBeGreaterThanOrEqual(1);
      expect((await app.memory.searchMemories({ namespace, query })).plan).toBeUndefined();
      const signs = { by: { case: "text" as const, value: "?!" } };
      const nothing = await app.memory.searchMemories({
        namespace,
        query: signs,
        mode: Mode.KEYWORD,
        explain: true,
      });
      expect(nothing.plan).toBeUndefined();
    });

    it("scans the namespace on Redis for a filter by last access", async () => {
      const { plan } = await app.memory.searchMemories({
        namespace,
        query: { by: { case: "text", value: "allergic nuts" } },
        filter: { lastAccessTime: { start: timestampFromMs(Date.UTC(2100, 0, 1)) } },
        explain: true,
      });
      expect(plan).toMatchObject({
        vectorRetriever: { policy: VectorPolicy.EXACT, eligibleCount: 0, eligibleBasis: SizeBasis.COUNTED },
        fullScan: onRedis(),
      });
    });

    it("finds nothing of another namespace", async () => {
      const { results } = await app.memory.searchMemories({
        namespace: "empty",
        query: { by: { case: "text", value: "Ana is allergic to nuts" } },
      });
      expect(results).toEqual([]);
    });
  });
});

describe("MemoryService with vector search disabled", () => {
  it("searches by keyword, reports the degradation, and refuses mode VECTOR", async () => {
    await using app = await startApp({ env: { ENABLE_VECTOR_SEARCH: "false" } });
    await app.memory.createMemory({ memory: { text: "Ana is allergic to nuts" } });
    const query = { by: { case: "text" as const, value: "nuts" } };
    const hybrid = await app.memory.searchMemories({ query });
    expect(hybrid.results).toHaveLength(1);
    expect(hybrid.degraded).toHaveLength(1);
    expect(await refusalOf(app.memory.searchMemories({ query, mode: Mode.VECTOR }))).toMatchObject({
      code: "FailedPrecondition",
      reason: "VECTOR_SEARCH_DISABLED",
    });
  });
});

describe("the store", () => {
  it("has all data after a restart", async () => {
    await using first = await startApp();
    const dataDir = first.dataDir;
    const { memory } = await first.memory.createMemory({ memory: { text: "survives", sessionId: "s" } });
    const { decisionId } = await first.cache.lookupCache({
      prompt: { prompt: { case: "text", value: "q" } },
      scope: { model: "m" },
    });
    await first.stop();
    await using second = await startApp({ dataDir });
    expect((await second.memory.getMemory({ id: memory?.id ?? "" })).memory).toEqual(memory);
    const found = await second.memory.searchMemories({ query: { by: { case: "text", value: "survives" } } });
    expect(found.results[0]).toMatchObject({ memory: { id: memory?.id } });
    const next = await second.memory.createMemory({ memory: { text: "follows", sessionId: "s" } });
    expect(next.memory?.sessionPosition).toBe(2);
    // The signing secret of decision tokens is stored with the data.
    const stored = await second.cache.storeCacheEntry({
      prompt: { prompt: { case: "text", value: "q" } },
      origin: { case: "decisionId", value: decisionId },
      response: "a",
    });
    expect(stored.replaced).toBe(false);
  });

  it("refuses another embedding model", async () => {
    await using app = await startApp();
    const { dataDir } = app;
    await app.stop();
    await expect(startApp({ dataDir, env: { VECTOR_DIM: "128" } })).rejects.toMatchObject({
      reason: "STORE_UNAVAILABLE",
    });
    await using same = await startApp({ dataDir });
    expect((await same.memory.listMemories({})).memories).toEqual([]);
  });

  // Redis allows several processes.
  it.skipIf(onRedis())("refuses a second process", async () => {
    await using app = await startApp();
    await expect(startApp({ dataDir: app.dataDir })).rejects.toMatchObject({ reason: "STORE_UNAVAILABLE" });
  });
});
