import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Json, JsonObject } from "../../lib/json.ts";
import { ACTIVE_ONLY, EVERY_STATE, type MemoryFilter, matchesFilter, metadataTokens } from "./filter.ts";
import type { Memory, StoredMemory } from "./memory.ts";
import { superseded } from "./supersession.ts";

const NOW = 100;
const MEMORY: StoredMemory = {
  id: "m1",
  text: "t",
  kind: "SEMANTIC",
  userId: "ann",
  agentId: "bot",
  sessionId: "s1",
  sessionPosition: 1,
  role: "",
  author: "Ann",
  tags: ["a", "b"],
  metadata: { level: 1, where: { city: "Lisbon" }, list: [1] },
  importance: 0.5,
  pinned: true,
  eventTime: 40,
  createTime: 50,
  updateTime: 55,
  validFrom: 52,
  validUntil: 80,
  state: "ACTIVE",
  supersededBy: "",
  sourceIds: [],
  etag: "e",
  embedding: { state: "DISABLED", provider: "", model: "", dimension: 0, truncated: false },
  access: { accessCount: 2, lastAccessTime: 60 },
};

const token = (metadata: JsonObject): readonly string[] => metadataTokens(metadata);

/** Each condition with a value that MEMORY passes and one that it does not. */
const CONDITIONS: readonly (readonly [string, Partial<MemoryFilter>, Partial<MemoryFilter>])[] = [
  ["user", { userId: "ann" }, { userId: "Ann" }],
  ["agent", { agentId: "bot" }, { agentId: "bo" }],
  ["session", { sessionId: "s1" }, { sessionId: "s10" }],
  ["author", { author: "Ann" }, { author: "ann" }],
  ["kinds", { kinds: ["SUMMARY", "SEMANTIC"] }, { kinds: ["SUMMARY", "EPISODIC"] }],
  ["any of the tags", { tagsAny: ["b", "z"] }, { tagsAny: ["z", "A"] }],
  ["all of the tags", { tagsAll: ["b", "a"] }, { tagsAll: ["a", "z"] }],
  ["none of the tags", { tagsNone: ["z"] }, { tagsNone: ["z", "a"] }],
  ["a metadata number", { metadata: token({ level: 1.0 }) }, { metadata: token({ level: "1" }) }],
  [
    "nested metadata",
    { metadata: token({ where: { city: "Lisbon" } }) },
    { metadata: token({ city: "Lisbon" }) },
  ],
  ["metadata in full", { metadata: token({ level: 1 }) }, { metadata: token({ level: 1, more: true }) }],
  ["the start of creation", { createTime: { start: 50 } }, { createTime: { start: 51 } }],
  ["the end of creation", { createTime: { end: 51 } }, { createTime: { end: 50 } }],
  ["the start of the event", { eventTime: { start: 40 } }, { eventTime: { start: 41 } }],
  ["the end of the event", { eventTime: { end: 41 } }, { eventTime: { end: 40 } }],
  ["the start of the last access", { lastAccessTime: { start: 60 } }, { lastAccessTime: { start: 61 } }],
  ["the end of the last access", { lastAccessTime: { end: 61 } }, { lastAccessTime: { end: 60 } }],
  ["the least importance", { importance: { min: 0.5 } }, { importance: { min: 0.51 } }],
  ["the most importance", { importance: { max: 0.5 } }, { importance: { max: 0.49 } }],
  ["pinned", { pinned: true }, { pinned: false }],
  ["that it was stored by a time, and held", { asOf: 52 }, { asOf: 51 }],
  ["that it still held at a time", { asOf: 79 }, { asOf: 80 }],
  ["states", { states: ["ARCHIVED", "ACTIVE"] }, { states: ["ARCHIVED"] }],
];

const name = fc.constantFrom("", "ann", "bob");
const tags = fc.uniqueArray(fc.constantFrom("a", "b", "c"), { maxLength: 3 });
const kind = fc.constantFrom("EPISODIC", "SEMANTIC", "MESSAGE");
const state = fc.constantFrom("ACTIVE", "SUPERSEDED", "ARCHIVED");
const time = fc.integer({ min: 0, max: 9 });
const share = fc.constantFrom(0, 0.25, 0.5, 1);
const metadata = fc.dictionary(
  fc.constantFrom("a", "b"),
  fc.constantFrom<Json>(1, "1", true, null, { a: 1 }),
);

const memory: fc.Arbitrary<StoredMemory> = fc
  .record(
    {
      kind,
      state,
      userId: name,
      agentId: name,
      sessionId: name,
      author: name,
      tags,
      metadata,
      importance: share,
      pinned: fc.boolean(),
      createTime: time,
      updateTime: time,
      validFrom: time,
      validUntil: time,
      eventTime: time,
      expireTime: fc.constantFrom(NOW, NOW + 1),
      access: fc.record({ accessCount: fc.constant(1), lastAccessTime: time }),
    },
    {
      requiredKeys: [
        "kind",
        "state",
        "userId",
        "agentId",
        "sessionId",
        "author",
        "tags",
        "metadata",
        "importance",
        "pinned",
        "createTime",
        "updateTime",
      ],
    },
  )
  .map((given) => {
    const { eventTime: _event, access: _access, validFrom: _from, validUntil: _until, ...base } = MEMORY;
    return { ...base, ...given };
  });

const timeRange = fc.record({ start: time, end: time }, { requiredKeys: [] });
const conditions = fc.record(
  {
    userId: name,
    agentId: name,
    sessionId: name,
    author: name,
    kinds: fc.uniqueArray(kind, { minLength: 1 }),
    tagsAny: fc.uniqueArray(fc.constantFrom("a", "b", "c"), { minLength: 1 }),
    tagsAll: tags,
    tagsNone: tags,
    metadata: metadata.map(metadataTokens),
    createTime: timeRange,
    eventTime: timeRange,
    lastAccessTime: timeRange,
    importance: fc.record({ min: share, max: share }, { requiredKeys: [] }),
    pinned: fc.boolean(),
  },
  { requiredKeys: [] },
);
const asOf = fc.option(time, { nil: undefined });

describe("matchesFilter", () => {
  it("passes active, unexpired memories without conditions", () => {
    fc.assert(
      fc.property(memory, (one) => {
        const expected = one.state === "ACTIVE" && (one.expireTime === undefined || one.expireTime > NOW);
        return matchesFilter(one, ACTIVE_ONLY, NOW) === expected;
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  it("passes no expired memory, with any states", () => {
    const all: MemoryFilter = { states: ["ACTIVE", "SUPERSEDED", "ARCHIVED", "QUARANTINED"] };
    expect(matchesFilter({ ...MEMORY, expireTime: NOW }, all, NOW)).toBe(false);
    expect(matchesFilter({ ...MEMORY, expireTime: NOW }, all, NOW - 1)).toBe(true);
  });

  it.each(CONDITIONS)("checks %s", (_, passing, failing) => {
    expect(matchesFilter(MEMORY, { ...ACTIVE_ONLY, ...passing }, NOW)).toBe(true);
    expect(matchesFilter(MEMORY, { ...ACTIVE_ONLY, ...failing }, NOW)).toBe(false);
  });

  it("passes a memory exactly when it passes each condition alone", () => {
    fc.assert(
      fc.property(
        memory,
        conditions,
        asOf,
        fc.uniqueArray(state, { minLength: 1 }),
        (one, given, at, states) => {
          // States count as of the time.
          const base: MemoryFilter = { states, ...(at === undefined ? {} : { asOf: at }) };
          const alone = Object.entries(given).every(([key, value]) =>
            matchesFilter(one, { ...base, [key]: value }, NOW),
          );
          const expected = alone && matchesFilter(one, base, NOW);
          expect(matchesFilter(one, { ...given, ...base }, NOW)).toBe(expected);
        },
      ),
      { seed: 1, numRuns: 1000 },
    );
  });

  it("passes no more memories when a condition is added", () => {
    fc.assert(
      fc.property(memory, conditions, conditions, (one, given, added) => {
        const wider: MemoryFilter = { ...added, ...ACTIVE_ONLY };
        const narrower: MemoryFilter = { ...given, ...wider };
        expect(matchesFilter(one, wider, NOW) || !matchesFilter(one, narrower, NOW)).toBe(true);
      }),
      { seed: 1, numRuns: 1000 },
    );
  });

  it("treats an open range as no condition, and requires a time for any bound", () => {
    const { eventTime: _event, access: _access, ...timeless } = MEMORY;
    expect(matchesFilter(timeless, { ...ACTIVE_ONLY, eventTime: {} }, NOW)).toBe(true);
    expect(matchesFilter(timeless, { ...ACTIVE_ONLY, eventTime: { start: 0 } }, NOW)).toBe(false);
    expect(matchesFilter(timeless, { ...ACTIVE_ONLY, eventTime: { end: NOW } }, NOW)).toBe(false);
    expect(matchesFilter(timeless, { ...ACTIVE_ONLY, lastAccessTime: {} }, NOW)).toBe(true);
    expect(matchesFilter(timeless, { ...ACTIVE_ONLY, lastAccessTime: { start: 0 } }, NOW)).toBe(false);
  });

  describe("as of a time", () => {
    it("passes what was stored by then and held then, whatever its state", () => {
      fc.assert(
        fc.property(memory, time, (one, at) => {
          const { validFrom = at, validUntil = at + 1 } = one;
          const isAlive = matchesFilter(one, EVERY_STATE, NOW);
          const expected = isAlive && one.createTime <= at && validFrom <= at && at < validUntil;
          expect(matchesFilter(one, { ...EVERY_STATE, asOf: at }, NOW)).toBe(expected);
        }),
        { seed: 1, numRuns: 1000 },
      );
    });

    it("counts every memory in exactly one state", () => {
      fc.assert(
        fc.property(memory, time, (one, at) => {
          const passing = EVERY_STATE.states.filter((state) =>
            matchesFilter(one, { states: [state], asOf: at }, NOW),
          );
          const exists = matchesFilter(one, { ...EVERY_STATE, asOf: at }, NOW);
          expect(passing).toHaveLength(exists ? 1 : 0);
          // Before it became history it was ACTIVE.
          if (exists) expect(passing).toEqual([one.updateTime > at ? "ACTIVE" : one.state]);
        }),
        { seed: 1, numRuns: 1000 },
      );
    });

    it("passes in the far future what passes now without an end of its validity", () => {
      fc.assert(
        fc.property(memory, (one) => {
          const expected = matchesFilter(one, ACTIVE_ONLY, NOW) && one.validUntil === undefined;
          expect(matchesFilter(one, { ...ACTIVE_ONLY, asOf: 1e9 }, NOW)).toBe(expected);
        }),
        { seed: 1, numRuns: 1000 },
      );
    });

    it("passes of a chain of supersessions the one that was current then", () => {
      const steps = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 8 });
      fc.assert(
        fc.property(steps, fc.nat({ max: 45 }), (waits, at) => {
          let now = 0;
          const chain: Memory[] = [];
          for (const wait of waits) {
            now += wait;
            const {
              validFrom: _from,
              validUntil: _until,
              ...next
            } = {
              ...MEMORY,
              ...{ id: `m${chain.length}`, createTime: now, updateTime: now },
            };
            const last = chain.pop();
            if (last !== undefined) chain.push(superseded(last, next.id, now));
            chain.push(next);
          }
          const times = chain.map(({ createTime }) => createTime);
          const current = times.findLastIndex((created) => created <= at);
          const passing = chain.filter((one) => matchesFilter(one, { ...ACTIVE_ONLY, asOf: at }, NOW));
          expect(passing.map(({ id }) => id)).toEqual(current === -1 ? [] : [`m${current}`]);
        }),
        { seed: 1, numRuns: 1000 },
      );
    });
  });

  it("does not look into lists", () => {
    expect(matchesFilter(MEMORY, { ...ACTIVE_ONLY, metadata: token({ list: 1 }) }, NOW)).toBe(false);
  });
});

describe("metadataTokens", () => {
  it.each<[string, JsonObject, JsonObject]>([
    ["1 and 1.0", { a: 1 }, JSON.parse('{"a":1.0}')],
    ["0 and -0", { a: 0 }, { a: -0 }],
    ["100 and 1e2", { a: 100 }, JSON.parse('{"a":1e2}')],
  ])("are the same for %s", (_, one, other) => {
    expect(token(one)).toEqual(token(other));
    expect(token(one)).toHaveLength(1);
  });

  it.each<[string, JsonObject, JsonObject]>([
    ["a number and its digits", { a: 1 }, { a: "1" }],
    ["true and the word", { a: true }, { a: "true" }],
    ["null and the word", { a: null }, { a: "null" }],
    ["case", { a: "x" }, { a: "X" }],
    ["a dotted key and a path", { "a.b": 1 }, { a: { b: 1 } }],
    ["a key with quotes and a path", { 'a","b': 1 }, { a: { b: 1 } }],
    ["a key with an equals sign and a value", { 'a"]=1': 1 }, { a: 1 }],
    ["an empty key and none", { "": { a: 1 } }, { a: 1 }],
  ])("differ for %s", (_, one, other) => {
    expect(token(one)).not.toEqual(token(other));
  });

  it("skip lists and empty objects", () => {
    expect(token({ a: [1, { b: 2 }], c: {}, d: { e: [] } })).toEqual([]);
  });

  it("are equal exactly when path and value are", () => {
    const key = fc.string({ unit: fc.constantFrom("a", ".", '"', ",", "[", "]", "=", "\\"), maxLength: 3 });
    const path = fc.array(key, { minLength: 1, maxLength: 3 });
    const scalar = fc.oneof(key, fc.constantFrom<Json>(0, 1, 1.5, true, false, null, "0", "1"));
    const at = (keys: readonly string[], value: Json): JsonObject =>
      keys.reduceRight<Json>((inner, one) => ({ [one]: inner }), value) as JsonObject;
    fc.assert(
      fc.property(path, scalar, path, scalar, (onePath, one, otherPath, other) => {
        const same = JSON.stringify([onePath, one]) === JSON.stringify([otherPath, other]);
        expect(token(at(onePath, one))[0] === token(at(otherPath, other))[0]).toBe(same);
      }),
      { seed: 1, numRuns: 2000 },
    );
  });

  it("are as many as there are scalars", () => {
    expect(token({ a: 1, b: { c: "x", d: { e: null } }, f: true })).toEqual([
      '["a"]=1',
      '["b","c"]="x"',
      '["b","d","e"]=null',
      '["f"]=true',
    ]);
  });
});
