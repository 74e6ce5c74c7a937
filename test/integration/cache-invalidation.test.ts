import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { refusalOf } from "../support/errors.ts";
import { startApp, type TestApp } from "../support/start-app.ts";

const text = (value: string) => ({ prompt: { case: "text" as const, value } });
const PROMPT = "How do I cancel my order?";
const REWORDED = "how do i cancel my order";

describe("InvalidateCache", () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp();
  });
  afterAll(() => app[Symbol.asyncDispose]());

  interface Stored {
    readonly prompt?: string;
    readonly model?: string;
    readonly knowledgeVersion?: string;
    readonly tags?: string[];
  }
  const store = (
    namespace: string,
    { prompt = PROMPT, model = "m", knowledgeVersion = "", tags = [] }: Stored = {},
  ) =>
    app.cache.storeCacheEntry({
      namespace,
      prompt: text(prompt),
      origin: { case: "scope", value: { model, knowledgeVersion } },
      response: `by ${model}`,
      tags,
    });
  const lookup = (
    namespace: string,
    { prompt = PROMPT, model = "m", knowledgeVersion = "" }: Omit<Stored, "tags"> = {},
  ) => app.cache.lookupCache({ namespace, prompt: text(prompt), scope: { model, knowledgeVersion } });
  const outcome = async (...asked: Parameters<typeof lookup>): Promise<string> =>
    (await lookup(...asked)).outcome.case ?? "";

  it("of the whole namespace makes the next lookups misses, exact and by meaning, and says so", async () => {
    await store("whole");
    expect([await outcome("whole"), await outcome("whole", { prompt: REWORDED })]).toEqual(["hit", "hit"]);
    expect(await app.cache.invalidateCache({ namespace: "whole", validateOnly: true })).toMatchObject({
      count: 1,
      wholeNamespace: true,
    });
    expect(await outcome("whole")).toBe("hit");
    const done = await app.cache.invalidateCache({ namespace: "whole" });
    expect(done.wholeNamespace).toBe(true);
    expect(done.count).toBeUndefined();
    expect([await outcome("whole"), await outcome("whole", { prompt: REWORDED })]).toEqual(["miss", "miss"]);
    expect(await app.cache.getCacheStats({ namespace: "whole" })).toMatchObject({
      entryCount: 0,
      evictions: 0n,
    });
    expect((await app.cache.listCacheEntries({ namespace: "whole" })).entries).toEqual([]);
    await store("whole");
    expect([await outcome("whole"), await outcome("whole", { prompt: REWORDED })]).toEqual(["hit", "hit"]);
  });

  it("affects the entries that meet every condition, of tags any", async () => {
    const namespace = "conditions";
    await store(namespace, { tags: ["faq"] });
    await store(namespace, { model: "n", tags: ["faq", "x"] });
    await store(namespace, { model: "n", knowledgeVersion: "7", tags: ["x"] });
    const count = async (request: { model?: string; knowledgeVersion?: string; tags?: string[] }) =>
      (await app.cache.invalidateCache({ namespace, validateOnly: true, ...request })).count;
    expect(await count({ tags: ["faq"] })).toBe(2);
    expect(await count({ tags: ["x", "other"], model: "n" })).toBe(2);
    expect(await count({ knowledgeVersion: "7" })).toBe(1);
    expect(await count({ knowledgeVersion: "70" })).toBe(0);
    expect(await count({ knowledgeVersion: "7", tags: ["faq"] })).toBe(0);
    expect(await app.cache.invalidateCache({ namespace, knowledgeVersion: "7" })).toMatchObject({
      wholeNamespace: false,
    });
    expect(await outcome(namespace, { model: "n", knowledgeVersion: "7" })).toBe("miss");
    expect(await outcome(namespace, { model: "n" })).toBe("hit");
    await app.cache.invalidateCache({ namespace, model: "n", tags: ["faq"] });
    expect(await outcome(namespace, { model: "n" })).toBe("miss");
    expect(await outcome(namespace)).toBe("hit");
  });

  it("refuses answers that were being generated, when they meet the conditions", async () => {
    const namespace = "late";
    await store(namespace, { prompt: "Another question?" });
    const { decisionId } = await lookup(namespace, { knowledgeVersion: "7" });
    const finish = (tags: string[]) =>
      app.cache.storeCacheEntry({
        namespace,
        prompt: text(PROMPT),
        origin: { case: "decisionId", value: decisionId },
        response: "late",
        tags,
      });
    const refusal = async (tags: string[]) => (await refusalOf(finish(tags))).reason;
    await app.cache.invalidateCache({ namespace, tags: ["faq"] });
    expect(await refusal(["faq"])).toBe("CACHE_INVALIDATED");
    expect((await finish(["other"])).replaced).toBe(false);
    await app.cache.invalidateCache({ namespace, knowledgeVersion: "7" });
    expect(await refusal(["other"])).toBe("CACHE_INVALIDATED");
    expect(await outcome(namespace, { knowledgeVersion: "7" })).toBe("miss");
    // A later decision may be stored.
    const later = await lookup(namespace, { knowledgeVersion: "7" });
    await app.cache.storeCacheEntry({
      namespace,
      prompt: text(PROMPT),
      origin: { case: "decisionId", value: later.decisionId },
      response: "new",
      tags: ["faq"],
    });
    expect(await outcome(namespace, { knowledgeVersion: "7" })).toBe("hit");
  });

  it("does nothing in an unknown namespace", async () => {
    expect(await app.cache.invalidateCache({ namespace: "unknown", validateOnly: true })).toMatchObject({
      count: 0,
    });
    await app.cache.invalidateCache({ namespace: "unknown", tags: ["a"], requestId: "r" });
    expect((await app.memory.listNamespaces({})).namespaces).not.toContain("unknown");
  });
});
