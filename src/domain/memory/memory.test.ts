import { describe, expect, it } from "vitest";
import {
  defaultOnDuplicate,
  duplicateKey,
  etagOf,
  indexedText,
  isExpired,
  type Memory,
  type MemoryKind,
} from "./memory.ts";

const MEMORY: Memory = {
  id: "m1",
  text: "Ann likes tea",
  kind: "SEMANTIC",
  userId: "u",
  agentId: "a",
  sessionId: "s",
  sessionPosition: 1,
  role: "user",
  author: "Ann",
  tags: ["x", "y"],
  metadata: { a: 1, b: { c: "d" } },
  importance: 0.5,
  pinned: false,
  eventTime: 1,
  validFrom: 2,
  validUntil: 3,
  expireTime: 4,
  createTime: 5,
  updateTime: 6,
  state: "ACTIVE",
  supersededBy: "",
  sourceIds: ["m0"],
  etag: "",
  embedding: { state: "READY", provider: "p", model: "m", dimension: 3, truncated: false },
};

const CHANGES: Omit<{ [K in keyof Memory]-?: Memory[K] }, "etag" | "sessionPosition" | "embedding"> = {
  id: "m2",
  text: "Ann likes Tea",
  kind: "EPISODIC",
  userId: "v",
  agentId: "b",
  sessionId: "t",
  role: "assistant",
  author: "",
  tags: ["y", "x"],
  metadata: { a: "1", b: { c: "d" } },
  importance: 0.6,
  pinned: true,
  eventTime: 0,
  validFrom: 0,
  validUntil: 0,
  expireTime: 0,
  createTime: 0,
  updateTime: 0,
  state: "ARCHIVED",
  supersedes: ["m8"],
  supersededBy: "m9",
  sourceIds: [],
};

describe("etagOf", () => {
  it("is 32 hex digits", () => {
    expect(etagOf(MEMORY)).toMatch(/^[0-9a-f]{32}$/);
  });

  it.each(Object.keys(CHANGES) as (keyof typeof CHANGES)[])("changes with %s", (field) => {
    expect(etagOf({ ...MEMORY, [field]: CHANGES[field] })).not.toBe(etagOf(MEMORY));
  });

  it.each(["eventTime", "validFrom", "validUntil", "expireTime"] as const)(
    "changes when %s is taken away",
    (field) => {
      const { [field]: _, ...rest } = MEMORY;
      expect(etagOf(rest)).not.toBe(etagOf(MEMORY));
    },
  );

  it("tells the times apart", () => {
    const { eventTime: _, ...rest } = MEMORY;
    const { validFrom: __, ...other } = { ...MEMORY, eventTime: 2 };
    expect(etagOf({ ...rest, validFrom: 2 })).not.toBe(etagOf(other));
  });

  it("does not depend on what the store and the embedder add", () => {
    const embedding = { ...MEMORY.embedding, model: "another" };
    expect(etagOf({ ...MEMORY, sessionPosition: 9, etag: "e", embedding } as Memory)).toBe(etagOf(MEMORY));
  });

  it("does not depend on the order of metadata keys", () => {
    expect(etagOf({ ...MEMORY, metadata: { b: { c: "d" }, a: 1 } })).toBe(etagOf(MEMORY));
  });
});

describe("duplicateKey", () => {
  const key = (text: string, userId = "u", kind: MemoryKind = "SEMANTIC"): string =>
    duplicateKey({ text, userId, kind });

  it.each([
    ["case", "ANN LIKES TEA"],
    ["white space", "  Ann\u00a0likes\n\n tea\t"],
  ])("is the same in spite of %s", (_, text) => {
    expect(key(text)).toBe(key("Ann likes tea"));
  });

  it("is the same for composed and decomposed letters", () => {
    expect(key("Cafe\u0301")).toBe(key("CAFÉ"));
  });

  it.each([
    ["another word", key("Ann likes coffee")],
    ["punctuation", key("Ann likes tea.")],
    ["words run together", key("Ann likestea")],
    ["another user", key("Ann likes tea", "v")],
    ["another kind", key("Ann likes tea", "u", "EPISODIC")],
  ])("is another with %s", (_, other) => {
    expect(other).not.toBe(key("Ann likes tea"));
  });

  it("keeps compatibility characters apart, which can change the meaning", () => {
    expect(key("2⁵")).not.toBe(key("25"));
  });

  it("does not let user and text run into each other", () => {
    expect(key("bc", "a")).not.toBe(key("c", "ab"));
  });
});

describe("indexedText", () => {
  it("names the speaker, when there is one", () => {
    expect(indexedText({ text: "hi", author: "Ann" })).toBe("Ann: hi");
    expect(indexedText({ text: "hi", author: "" })).toBe("hi");
  });
});

describe("isExpired", () => {
  it("turns true at the expire time itself", () => {
    expect([9, 10, 11].map((now) => isExpired({ expireTime: 10 }, now))).toEqual([false, true, true]);
  });

  it("is never true without an expire time", () => {
    expect(isExpired({}, Number.MAX_SAFE_INTEGER)).toBe(false);
  });
});

describe("defaultOnDuplicate", () => {
  it.each<[MemoryKind, string]>([
    ["MESSAGE", "ALLOW"],
    ["EPISODIC", "RETURN_EXISTING"],
    ["SEMANTIC", "RETURN_EXISTING"],
    ["PROCEDURAL", "RETURN_EXISTING"],
    ["SUMMARY", "RETURN_EXISTING"],
  ])("of %s is %s", (kind, choice) => {
    expect(defaultOnDuplicate(kind)).toBe(choice);
  });
});
