import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  CacheStrategy,
  GuardReason,
  type LookupCacheResponse,
  LookupCacheResponse_Hit_Match as Match,
  LookupCacheResponse_Miss_Reason as Reason,
} from "#gen/recollect/v1/cache_pb.js";
import { refusalOf } from "../support/errors.ts";
import { startApp, type TestApp } from "../support/start-app.ts";

const NOW = Date.UTC(2026, 0, 2);
const scope = { model: "gpt-5", systemPrompt: "Be brief.", parameters: { temperature: 0, top_p: 1 } };

function text(value: string): { prompt: { case: "text"; value: string } } {
  return { prompt: { case: "text", value } };
}

function outcome(response: LookupCacheResponse): object {
  const { case: kind, value } = response.outcome;
  if (kind === "hit") return { hit: Match[value.match], response: value.entry?.response };
  return { miss: value === undefined ? undefined : Reason[value.reason] };
}

describe("CacheService", () => {
  let app: TestApp;
  let now = NOW;
  beforeAll(async () => {
    app = await startApp({ overrides: { clock: { now: () => now } } });
    await app.cache.storeCacheEntry({
      prompt: text("How do I cancel my order of 3 books?"),
      origin: { case: "scope", value: scope },
      response: "Open Orders and choose Cancel.",
      tags: ["orders"],
      usage: { promptTokens: 20, completionTokens: 7, costUsd: 0.001 },
    });
  });
  afterAll(async () => {
    await app[Symbol.asyncDispose]();
  });

  it("serves the same prompt exactly", async () => {
    const answer = await app.cache.lookupCache({
      prompt: text(" How do I cancel my order of 3 books?\r\n"),
      scope,
    });
    expect(outcome(answer)).toEqual({ hit: "EXACT", response: "Open Orders and choose Cancel." });
    expect(answer.outcome.value).toMatchObject({
      similarity: 1,
      entry: { model: "gpt-5", tags: ["orders"], usage: { promptTokens: 20, completionTokens: 7 } },
    });
  });

  it("serves a reworded prompt by similarity", async () => {
    const answer = await app.cache.lookupCache({
      prompt: text("please, how do I cancel my order of three books"),
      scope,
    });
    expect(outcome(answer)).toEqual({ hit: "SEMANTIC", response: "Open Orders and choose Cancel." });
  });

  it.each([
    ["How do I cancel my order of 4 books?", GuardReason.NUMBER],
    ["How do I not cancel my order of 3 books?", GuardReason.NEGATION],
  ])("refuses the look-alike %j", async (prompt, reason) => {
    const answer = await app.cache.lookupCache({ prompt: text(prompt), scope, options: { threshold: 0.5 } });
    expect(outcome(answer)).toEqual({ miss: "GUARD" });
    expect(answer.outcome.value).toMatchObject({ guardReasons: expect.arrayContaining([reason]) });
  });

  it.each([
    ["model", { ...scope, model: "gpt-4" }],
    ["system prompt", { ...scope, systemPrompt: "Be verbose." }],
    ["parameters", { ...scope, parameters: { temperature: 0.1, top_p: 1 } }],
    ["tools", { ...scope, tools: [{ name: "search" }] }],
    ["response format", { ...scope, responseFormat: { type: "json_object" } }],
    ["locale", { ...scope, locale: "de" }],
    ["knowledge version", { ...scope, knowledgeVersion: "2" }],
    ["principal", { ...scope, principal: "ana" }],
    ["sharing", { ...scope, shared: true }],
  ])("never serves an entry of another %s", async (_, other) => {
    const answer = await app.cache.lookupCache({
      prompt: text("How do I cancel my order of 3 books?"),
      scope: other,
    });
    expect(outcome(answer)).toEqual({ miss: "NOT_FOUND" });
  });

  it("compares parameters by value, not by the order of their keys", async () => {
    const answer = await app.cache.lookupCache({
      prompt: text("How do I cancel my order of 3 books?"),
      scope: { ...scope, parameters: { top_p: 1, temperature: 0 } },
    });
    expect(outcome(answer)).toMatchObject({ hit: "EXACT" });
  });

  it("keeps namespaces apart", async () => {
    const answer = await app.cache.lookupCache({
      namespace: "other",
      prompt: text("How do I cancel my order of 3 books?"),
      scope,
    });
    expect(outcome(answer)).toEqual({ miss: "NOT_FOUND" });
  });

  it("compares a chat history exactly and the last message by similarity", async () => {
    const chat = (...contents: string[]): { prompt: { case: "chat"; value: { messages: object[] } } } => ({
      prompt: {
        case: "chat",
        value: {
          messages: contents.map((content, index) => ({
            role: index % 2 === 0 ? "user" : "assistant",
            content,
          })),
        },
      },
    });
    await app.cache.storeCacheEntry({
      namespace: "chat",
      prompt: chat("Tell me about Siemens.", "A German company.", "How old is it?"),
      origin: { case: "scope", value: scope },
      response: "Founded in 1847.",
    });
    const ask = async (...contents: string[]): Promise<object> =>
      outcome(await app.cache.lookupCache({ namespace: "chat", prompt: chat(...contents), scope }));
    expect(await ask("Tell me about Siemens.", "A German company.", "how old is it")).toMatchObject({
      hit: "SEMANTIC",
    });
    expect(await ask("Tell me about Nokia.", "A Finnish company.", "How old is it?")).toEqual({
      miss: "NOT_FOUND",
    });
  });

  it("stores with the decision token of the lookup that missed", async () => {
    const prompt = text("Which plan includes exports?");
    const { decisionId } = await app.cache.lookupCache({ namespace: "decided", prompt, scope });
    expect(decisionId.length).toBeLessThanOrEqual(512);
    const origin = { case: "decisionId" as const, value: decisionId };
    const stored = await app.cache.storeCacheEntry({ namespace: "decided", prompt, origin, response: "Pro" });
    expect(stored.entry?.model).toBe("gpt-5");
    expect(outcome(await app.cache.lookupCache({ namespace: "decided", prompt, scope }))).toEqual({
      hit: "EXACT",
      response: "Pro",
    });
    const store = (change: object): Promise<unknown> =>
      app.cache.storeCacheEntry({ namespace: "decided", prompt, origin, response: "Pro", ...change });
    const refusal = { code: "InvalidArgument", reason: "DECISION_INVALID" };
    expect(await refusalOf(store({ prompt: text("Another question?") }))).toMatchObject({
      ...refusal,
      metadata: { cause: "prompt" },
    });
    expect(await refusalOf(store({ namespace: "elsewhere" }))).toMatchObject({
      ...refusal,
      metadata: { cause: "namespace" },
    });
    const forged = `${decisionId.slice(0, -4)}AAAA`;
    expect(await refusalOf(store({ origin: { case: "decisionId", value: forged } }))).toMatchObject({
      ...refusal,
      metadata: { cause: "signature" },
    });
    now = NOW + 8 * 24 * 3600 * 1000;
    expect(await refusalOf(store({}))).toMatchObject({ ...refusal, metadata: { cause: "expired" } });
    now = NOW;
  });

  it("replaces the entry of the same prompt, and expires it", async () => {
    const put = (response: string): ReturnType<typeof app.cache.storeCacheEntry> =>
      app.cache.storeCacheEntry({
        namespace: "ends",
        prompt: text("What time is it?"),
        origin: { case: "scope", value: scope },
        response,
        ttl: { seconds: 60n },
      });
    const look = async (options = {}): Promise<object> =>
      outcome(
        await app.cache.lookupCache({ namespace: "ends", prompt: text("What time is it?"), scope, options }),
      );
    expect((await put("noon")).replaced).toBe(false);
    expect((await put("one")).replaced).toBe(true);
    expect(await look()).toEqual({ hit: "EXACT", response: "one" });
    now = NOW + 30_000;
    expect(await look({ maxAge: { seconds: 10n } })).toEqual({ miss: "TOO_OLD" });
    expect(await look({ shadow: true })).toEqual({ miss: "SHADOW" });
    now = NOW + 60_000;
    expect(await look()).toEqual({ miss: "NOT_FOUND" });
    now = NOW;
  });

  it("uses only the requested match modes", async () => {
    const ask = async (prompt: string, strategy: CacheStrategy): Promise<object> =>
      outcome(await app.cache.lookupCache({ prompt: text(prompt), scope, options: { strategy } }));
    const reworded = "how do I cancel my order of three books";
    expect(await ask(reworded, CacheStrategy.EXACT)).toEqual({ miss: "NOT_FOUND" });
    expect(await ask("How do I cancel my order of 3 books?", CacheStrategy.SEMANTIC)).toMatchObject({
      hit: "SEMANTIC",
    });
    const high = await app.cache.lookupCache({ prompt: text(reworded), scope, options: { threshold: 1 } });
    expect(outcome(high)).toEqual({ miss: "BELOW_THRESHOLD" });
  });
});

describe("a disabled cache", () => {
  it("misses, and refuses to store", async () => {
    await using app = await startApp({ env: { CACHE_ENABLED: "false" } });
    const missed = await app.cache.lookupCache({ prompt: text("q"), scope });
    expect(outcome(missed)).toEqual({ miss: "DISABLED" });
    const store = app.cache.storeCacheEntry({
      prompt: text("q"),
      origin: { case: "scope", value: scope },
      response: "a",
    });
    expect(await refusalOf(store)).toMatchObject({ code: "FailedPrecondition", reason: "CACHE_DISABLED" });
  });
});
