import { createSecretKey, randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { analyzePrompt } from "../../domain/cache/analysis.ts";
import { decisionRecipient, openDecision } from "../../domain/cache/decision-token.ts";
import type { CacheEntry } from "../../domain/cache/entry.ts";
import { EMPTY_LEXICON } from "../../domain/cache/lexicon.ts";
import { cacheEntryId, scopeFingerprint } from "../../domain/cache/scope.ts";
import {
  analysisOf,
  cachedVector,
  cacheVector,
  decisionToken,
  type LookupCacheInput,
  prepareLookup,
  verdictOn,
} from "./prepared-lookup.ts";

const NOW = 1_700_000_000_000;
const CALLER = { tenant: "t", principal: "p" };
const INPUT: LookupCacheInput = {
  namespace: "",
  prompt: "How do I bake bread?",
  cacheScope: {
    model: "m",
    systemPrompt: "",
    history: [],
    parameters: {},
    tools: [],
    responseFormat: {},
    locale: "",
    knowledgeVersion: "",
    sharing: "tenant",
  },
  shadow: false,
};
const ENTRY: CacheEntry = {
  id: "ab".repeat(32),
  fingerprint: scopeFingerprint(INPUT.cacheScope),
  model: "m",
  knowledge: "",
  prompt: INPUT.prompt,
  analysis: analyzePrompt(INPUT.prompt),
  response: "With flour.",
  tags: [],
  metadata: {},
  createTime: NOW,
  expireTime: NOW + 1000,
  etag: "e1",
};
const DECIDED = {
  entryId: ENTRY.id,
  similarity: 0.75,
  servedCreateTime: ENTRY.createTime,
  generation: NOW - 5,
  time: NOW,
};
const SECRET_BYTES = randomBytes(32);
const SECRET = createSecretKey(SECRET_BYTES);

describe("a prepared lookup", () => {
  it("has the ids of its prompt and the caller's namespace", () => {
    const namespace = { tenant: "t", namespace: "default" };
    expect(prepareLookup(INPUT, CALLER)).toMatchObject({
      namespace,
      fingerprint: ENTRY.fingerprint,
      promptId: cacheEntryId(namespace, ENTRY.fingerprint, INPUT.prompt),
      recipient: decisionRecipient(namespace, "p"),
    });
  });

  it("depends only on input, tenant and principal", () => {
    expect(prepareLookup({ ...INPUT }, { ...CALLER })).toEqual(prepareLookup(INPUT, CALLER));
  });

  it("analyses its prompt once", () => {
    const lookup = prepareLookup(INPUT, CALLER);
    expect(analysisOf(lookup)).toEqual(analyzePrompt(INPUT.prompt));
    expect(analysisOf(lookup)).toBe(analysisOf(lookup));
  });

  it("caches the last verdict by the etag of the entry", () => {
    const lookup = prepareLookup(INPUT, CALLER);
    const verdict = verdictOn(lookup, ENTRY, EMPTY_LEXICON);
    expect(verdict).toEqual({ conflicts: [], aligned: true });
    expect(verdictOn(lookup, { ...ENTRY }, EMPTY_LEXICON)).toBe(verdict);
    const denied = "How do I not bake bread?";
    const changed = { ...ENTRY, etag: "e2", prompt: denied, analysis: analyzePrompt(denied) };
    expect(verdictOn(lookup, changed, EMPTY_LEXICON).conflicts).toContainEqual({
      reason: "NEGATION",
      from: "closed",
    });
    expect(verdictOn(lookup, ENTRY, EMPTY_LEXICON)).toEqual(verdict);
  });

  it("caches the token of the last decision for a second, by value", () => {
    const lookup = prepareLookup(INPUT, CALLER);
    const token = decisionToken(lookup, { ...DECIDED, time: NOW + 999 }, SECRET);
    expect(decisionToken(lookup, DECIDED, createSecretKey(Buffer.from(SECRET_BYTES)))).toBe(token);
    expect(openDecision(token, SECRET, NOW)).toEqual({
      recipient: lookup.recipient,
      promptId: lookup.promptId,
      fingerprint: ENTRY.fingerprint,
      model: "m",
      knowledge: "",
      ...DECIDED,
    });
  });

  it.each([
    ["another second", { time: NOW + 1000 }, SECRET],
    ["another entry", { entryId: "cd".repeat(32) }, SECRET],
    ["no entry", { entryId: "" }, SECRET],
    ["another answer of the entry", { servedCreateTime: NOW - 7 }, SECRET],
    ["another generation", { generation: NOW }, SECRET],
    ["another similarity", { similarity: 0.5 }, SECRET],
    ["another secret", {}, createSecretKey(randomBytes(32))],
  ] as const)("seals anew for %s", (_, change, secret) => {
    const lookup = prepareLookup(INPUT, CALLER);
    const before = decisionToken(lookup, DECIDED, SECRET);
    const token = decisionToken(lookup, { ...DECIDED, ...change }, secret);
    expect(token).not.toBe(before);
    expect(openDecision(token, secret, NOW)).toMatchObject({ ...DECIDED, ...change });
  });

  it("returns the cached vector, with its model", () => {
    const lookup = prepareLookup(INPUT, CALLER);
    expect(cachedVector(lookup)).toBeUndefined();
    const vector = Float32Array.of(1, 0);
    cacheVector(lookup, { vector });
    expect(cachedVector(lookup)).toEqual({ vector });
    const identity = { provider: "p", model: "m", dimension: 2 };
    cacheVector(lookup, { vector, identity });
    expect(cachedVector(lookup)).toEqual({ vector, identity });
    lookup.vector = undefined;
    expect(cachedVector(lookup)).toBeUndefined();
  });
});
