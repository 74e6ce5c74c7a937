import { describe, expect, it } from "vitest";
import { digest } from "../../lib/digest.ts";
import {
  type DuplicateFields,
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
  flags: ["secret:jwt"],
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

  it("differs between the times", () => {
    const { eventTime: _, ...rest } = MEMORY;
    const { validFrom: __, ...other } = { ...MEMORY, eventTime: 2 };
    expect(etagOf({ ...rest, validFrom: 2 })).not.toBe(etagOf(other));
  });

  it("does not depend on fields of the store and the embedder", () => {
    const embedding = { ...MEMORY.embedding, model: "another" };
    expect(etagOf({ ...MEMORY, sessionPosition: 9, etag: "e", embedding } as Memory)).toBe(etagOf(MEMORY));
  });

  it("does not depend on the order of metadata keys", () => {
    expect(etagOf({ ...MEMORY, metadata: { b: { c: "d" }, a: 1 } })).toBe(etagOf(MEMORY));
  });
});

describe("duplicateKey", () => {
  const fields: DuplicateFields = { ...MEMORY, text: "Ann likes tea" };
  const key = (text: string, other: Partial<DuplicateFields> = {}): string =>
    duplicateKey({ ...fields, ...other, text });

  it.each([
    ["case", "ANN LIKES TEA"],
    ["white space", "  Ann\u00a0likes\n\n tea\t"],
  ])("is the same in spite of %s", (_, text) => {
    expect(key(text)).toBe(key("Ann likes tea"));
  });

  it("is the same for composed and decomposed letters", () => {
    expect(key("Cafe\u0301")).toBe(key("CAFÉ"));
  });

  it("is the same where folding leaves letters decomposed", () => {
    expect(key("\u0390")).toBe(key("\u1fd3"));
  });

  it.each<[string, string]>([
    ["another word", "Ann likes coffee"],
    ["punctuation", "Ann likes tea."],
    ["words run together", "Ann likestea"],
  ])("is another with %s", (_, text) => {
    expect(key(text)).not.toBe(key("Ann likes tea"));
  });

  it.each<Partial<DuplicateFields>>([
    { userId: "v" },
    { agentId: "v" },
    { sessionId: "v" },
    { kind: "EPISODIC" },
    { author: "ann" },
    { role: "v" },
    { eventTime: 7 },
    { validFrom: 7 },
    { validUntil: 7 },
  ])("is another with %j", (other) => {
    const [name] = Object.keys(other);
    expect(name).toBeDefined();
    expect(fields).not.toMatchObject(other);
    expect(key("Ann likes tea", other)).not.toBe(key("Ann likes tea"));
  });

  it("does not depend on any other field", () => {
    const others = { id: "x", importance: 1, pinned: true, tags: ["x"], metadata: {}, sourceIds: ["x"] };
    expect(duplicateKey({ ...fields, ...others })).toBe(duplicateKey(fields));
  });

  it("differs between compatibility characters, which can change the meaning", () => {
    expect(key("2⁵")).not.toBe(key("25"));
  });

  it("does not let fields run into each other", () => {
    const times = (validFrom?: number, validUntil?: number): string => {
      const { validFrom: _from, validUntil: _until, ...rest } = fields;
      return duplicateKey({
        ...rest,
        ...(validFrom === undefined ? {} : { validFrom }),
        ...(validUntil === undefined ? {} : { validUntil }),
      });
    };
    expect(key("bc", { userId: "a" })).not.toBe(key("c", { userId: "ab" }));
    expect(key("t", { userId: "a", agentId: "" })).not.toBe(key("t", { userId: "", agentId: "a" }));
    expect(times(5)).not.toBe(times(undefined, 5));
    expect(times(0)).not.toBe(times());
  });

  it("equals no key of the earlier rule, which used only text, user and kind", () => {
    const before = digest("", "SEMANTIC", "ann likes tea");
    const plain = { userId: "", agentId: "", sessionId: "", author: "", role: "", kind: "SEMANTIC" } as const;
    expect(duplicateKey({ ...plain, text: "ann likes tea" })).not.toBe(before);
  });
});

describe("indexedText", () => {
  it("names the speaker, when there is one", () => {
    expect(indexedText({ text: "hi", author: "Ann" })).toBe("Ann: hi");
    expect(indexedText({ text: "hi", author: "" })).toBe("hi");
  });
});

describe("isExpired", () => {
  it("is true from the expire time on", () => {
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
