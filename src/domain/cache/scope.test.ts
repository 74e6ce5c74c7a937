import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type CacheScope, cacheEntryId, normalizePrompt, scopeFingerprint, sharingOf } from "./scope.ts";

const TURN = { role: "user", content: "Hi", name: "", extra: { a: 1, b: 2 } };
const SCOPE: CacheScope = {
  model: "m",
  systemPrompt: "Be brief.",
  history: [TURN, { role: "assistant", content: "Hello", name: "", extra: {} }],
  parameters: { temperature: 0, stop: ["a", "b"] },
  tools: [{ name: "f" }, { name: "g" }],
  responseFormat: { type: "text" },
  locale: "en",
  knowledgeVersion: "1",
  sharing: "tenant",
};

/** Any code point, half characters included. */
const anyCharacter = fc.nat({ max: 0x10ffff }).map((code) => String.fromCodePoint(code));

const DIFFERENT: readonly (readonly [string, Partial<CacheScope>])[] = [
  ["the model", { model: "M" }],
  ["the system prompt", { systemPrompt: "Be brief" }],
  ["no history", { history: [] }],
  ["the order of the history", { history: SCOPE.history.toReversed() }],
  ["a role", { history: [{ ...TURN, role: "assistant" }, ...SCOPE.history.slice(1)] }],
  ["a name", { history: [{ ...TURN, name: "Ann" }, ...SCOPE.history.slice(1)] }],
  ["an extra", { history: [{ ...TURN, extra: { a: 1, b: 3 } }, ...SCOPE.history.slice(1)] }],
  ["white space in the history", { history: [{ ...TURN, content: "Hi " }, ...SCOPE.history.slice(1)] }],
  ["a parameter", { parameters: { temperature: 0.1, stop: ["a", "b"] } }],
  ["a parameter that is absent", { parameters: { temperature: 0 } }],
  ["the order of a list", { parameters: { temperature: 0, stop: ["b", "a"] } }],
  ["the order of the tools", { tools: SCOPE.tools.toReversed() }],
  ["no tools", { tools: [] }],
  ["the response format", { responseFormat: {} }],
  ["the locale", { locale: "en-GB" }],
  ["the knowledge version", { knowledgeVersion: "2" }],
  ["the sharing", { sharing: "" }],
];

describe("scopeFingerprint", () => {
  it("is SHA-256 in hex", () => {
    expect(scopeFingerprint(SCOPE)).toMatch(/^[0-9a-f]{64}$/);
  });

  it.each(DIFFERENT)("changes with %s", (_, change) => {
    expect(scopeFingerprint({ ...SCOPE, ...change })).not.toBe(scopeFingerprint(SCOPE));
  });

  it("differs for each of these changes", () => {
    const fingerprints = DIFFERENT.map(([, change]) => scopeFingerprint({ ...SCOPE, ...change }));
    expect(new Set(fingerprints).size).toBe(DIFFERENT.length);
  });

  it("does not depend on the order of JSON keys", () => {
    const reordered: CacheScope = {
      ...SCOPE,
      history: [{ ...TURN, extra: { b: 2, a: 1 } }, ...SCOPE.history.slice(1)],
      parameters: { stop: ["a", "b"], temperature: 0 },
    };
    expect(scopeFingerprint(reordered)).toBe(scopeFingerprint(SCOPE));
  });

  it("does not let neighbouring fields run into each other", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.nat(), fc.nat(), (text, one, other) => {
        const [left, right] = [one % (text.length + 1), other % (text.length + 1)];
        fc.pre(left !== right);
        const at = (cut: number): string =>
          scopeFingerprint({ ...SCOPE, model: text.slice(0, cut), systemPrompt: text.slice(cut) });
        return at(left) !== at(right);
      }),
      { seed: 1, numRuns: 200 },
    );
  });
});

describe("sharingOf", () => {
  it("is the same for all callers of the tenant", () => {
    const choice = { shared: true, principal: "" };
    expect(sharingOf("key-1", choice)).toBe(sharingOf("key-2", choice));
  });

  it.each(["", "ann"])("separates credentials for the principal %j", (principal) => {
    const choice = { shared: false, principal };
    expect(sharingOf("key-1", choice)).not.toBe(sharingOf("key-2", choice));
  });

  it("never returns equal values for the three kinds", () => {
    fc.assert(
      fc.property(fc.string(), fc.string({ minLength: 1 }), (credential, principal) => {
        const all = [
          sharingOf(credential, { shared: true, principal: "" }),
          sharingOf(credential, { shared: false, principal: "" }),
          sharingOf(credential, { shared: false, principal }),
        ];
        return new Set(all).size === 3;
      }),
      { seed: 1, numRuns: 200 },
    );
  });
});

describe("normalizePrompt", () => {
  it.each([
    ["line ends of Windows", "a\r\nb", "a\nb"],
    ["line ends of old Macs", "a\rb", "a\nb"],
    ["white space around it", "\n\t a\u00a0 ", "a"],
    ["decomposed letters", "cafe\u0301", "café"],
  ])("folds %s", (_, prompt, normalised) => {
    expect(normalizePrompt(prompt)).toBe(normalised);
  });

  it.each(["US", "a  b", "if x:\n    y", "2⁵", "ﬁ", "a\n\nb"])("keeps %j as it is", (prompt) => {
    expect(normalizePrompt(prompt)).toBe(prompt);
  });

  it.each([
    ["    a\n    b", "    a\n    b"],
    ["\n \n\ta\n\tb\n\n", "\ta\n\tb"],
    ["    a\n", "a"],
  ])("keeps the indentation of the first of several lines: %j", (prompt, normalised) => {
    expect(normalizePrompt(prompt)).toBe(normalised);
  });

  it("changes nothing the second time", () => {
    const odd = fc.string({
      unit: fc.constantFrom("\r", "\n", " ", "\u0301", "e", "A", "\u212b", "\ud800", "\u00a0"),
    });
    fc.assert(
      fc.property(fc.oneof(odd, fc.string({ unit: anyCharacter })), (prompt) => {
        const once = normalizePrompt(prompt);
        expect(normalizePrompt(once)).toBe(once);
      }),
      { seed: 1, numRuns: 1000 },
    );
  });

  it("keeps case", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "grapheme-ascii" }),
        (prompt) => normalizePrompt(prompt) === prompt.trim(),
      ),
      { seed: 1, numRuns: 200 },
    );
  });
});

describe("cacheEntryId", () => {
  const key = { tenant: "t", namespace: "n" };

  it("is the same for prompts that are the same once normalised", () => {
    expect(cacheEntryId(key, "f", " cafe\u0301\r\n")).toBe(cacheEntryId(key, "f", "café"));
  });

  it.each([
    ["tenant", cacheEntryId({ ...key, tenant: "u" }, "f", "p")],
    ["namespace", cacheEntryId({ ...key, namespace: "o" }, "f", "p")],
    ["fingerprint", cacheEntryId(key, "g", "p")],
    ["prompt", cacheEntryId(key, "f", "P")],
    ["border between tenant and namespace", cacheEntryId({ tenant: "tn", namespace: "" }, "f", "p")],
  ])("differs with another %s", (_, id) => {
    expect(id).not.toBe(cacheEntryId(key, "f", "p"));
  });
});
