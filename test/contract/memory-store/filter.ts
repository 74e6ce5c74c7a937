import { beforeEach, describe, expect, it } from "vitest";
import type { Json, JsonObject } from "../../../src/domain/json.ts";
import {
  ACTIVE_ONLY,
  type MemoryFilter,
  matchesFilter,
  metadataTokens,
} from "../../../src/domain/memory/filter.ts";
import type { Memory, MemoryKind, MemoryState } from "../../../src/domain/memory/memory.ts";
import { DAY, memory, NOW, newMemory, seededRandom } from "../../support/builders.ts";
import { vectorOf } from "../store-under-test.ts";
import { ALL, ANY_STATE, idsOf, type MemorySubject, search, write } from "./support.ts";

/** A word that every memory of these cases contains. */
const SHARED_TERM = "shared";

/** What each field of a filter means: by examples, and by comparison with the pure matchesFilter. */
export function filterCases(subject: MemorySubject): void {
  /** The ids that a filter lets through, after a check that list and both arms of search agree. */
  const passing = async (filter: MemoryFilter, now = NOW): Promise<string[]> => {
    const listed = await subject.store.list(subject.scope, { filter, limit: ALL, now });
    const found = await search(subject, { vector: vectorOf(0), terms: [SHARED_TERM], filter }, now);
    const ids = idsOf(listed).sort();
    expect({ nearest: idsOf(found.nearest).sort(), containing: idsOf(found.containing).sort() }).toEqual({
      nearest: ids,
      containing: ids,
    });
    return ids;
  };
  const store = (...memories: readonly Partial<Memory>[]) =>
    write(subject, ...memories.map((given, index) => findable(memory({ id: `m${index}`, ...given }), index)));

  describe("by examples", () => {
    it("takes the states that are asked for", async () => {
      await store(...ANY_STATE.states.map((state) => ({ id: state, state })));
      expect(await passing(ACTIVE_ONLY)).toEqual(["ACTIVE"]);
      expect(await passing({ states: ["SUPERSEDED"] })).toEqual(["SUPERSEDED"]);
      expect(await passing({ states: ["ARCHIVED", "ACTIVE"] })).toEqual(["ACTIVE", "ARCHIVED"]);
      expect(await passing(ANY_STATE)).toEqual(["ACTIVE", "ARCHIVED", "QUARANTINED", "SUPERSEDED"]);
    });

    it.each(["userId", "agentId", "sessionId", "author"] as const)(
      "compares %s to the letter",
      async (field) => {
        const values = [
          "ann",
          "Ann",
          "ann ",
          "ann b",
          "ann-b",
          "ann,b",
          "ann|b",
          "a*",
          "{ann}",
          'a"n',
          "a'n",
          "a\\",
          "%",
          "änn",
          "安",
          "🎉",
          "a\u0000",
          "a\u0000b",
        ];
        await store(...values.map((value) => ({ id: `of ${value}`, [field]: value })), { id: "none" });
        for (const value of values) {
          expect(await passing({ states: ["ACTIVE"], [field]: value })).toEqual([`of ${value}`]);
        }
        expect(await passing({ states: ["ACTIVE"], [field]: "nobody" })).toEqual([]);
      },
    );

    it("takes any of the kinds", async () => {
      await store(
        { id: "e", kind: "EPISODIC" },
        { id: "m", kind: "MESSAGE" },
        { id: "p", kind: "PROCEDURAL" },
      );
      expect(await passing({ states: ["ACTIVE"], kinds: ["MESSAGE"] })).toEqual(["m"]);
      expect(await passing({ states: ["ACTIVE"], kinds: ["MESSAGE", "EPISODIC"] })).toEqual(["e", "m"]);
      expect(await passing({ states: ["ACTIVE"], kinds: ["SUMMARY"] })).toEqual([]);
    });

    it("takes tags any, all and none, to the letter", async () => {
      await store(
        { id: "ab", tags: ["a", "b"] },
        { id: "a", tags: ["a"] },
        { id: "b", tags: ["b"] },
        { id: "A", tags: ["A"] },
        { id: "a,b", tags: ["a,b"] },
        { id: "a b", tags: ["a b"] },
        { id: "none", tags: [] },
      );
      expect(await passing({ states: ["ACTIVE"], tagsAny: ["a"] })).toEqual(["a", "ab"]);
      expect(await passing({ states: ["ACTIVE"], tagsAny: ["a", "b"] })).toEqual(["a", "ab", "b"]);
      expect(await passing({ states: ["ACTIVE"], tagsAny: ["a,b", "x"] })).toEqual(["a,b"]);
      expect(await passing({ states: ["ACTIVE"], tagsAll: ["a", "b"] })).toEqual(["ab"]);
      expect(await passing({ states: ["ACTIVE"], tagsAll: ["a b"] })).toEqual(["a b"]);
      expect(await passing({ states: ["ACTIVE"], tagsNone: ["a"] })).toEqual([
        "A",
        "a b",
        "a,b",
        "b",
        "none",
      ]);
      expect(await passing({ states: ["ACTIVE"], tagsNone: ["a", "b"] })).toEqual([
        "A",
        "a b",
        "a,b",
        "none",
      ]);
      expect(
        await passing({ states: ["ACTIVE"], tagsAny: ["a", "A"], tagsAll: ["a"], tagsNone: ["b"] }),
      ).toEqual(["a"]);
    });

    it("compares metadata by path, type and value", async () => {
      const values: Readonly<Record<string, JsonObject>> = {
        one: { v: 1 },
        "one as text": { v: "1" },
        yes: { v: true },
        "yes as text": { v: "true" },
        no: { v: false },
        zero: { v: 0 },
        nothing: { v: null },
        "nothing as text": { v: "null" },
        "empty text": { v: "" },
        absent: {},
        part: { v: 1.5 },
        list: { v: [1] },
        nested: { v: { a: { b: 1 } } },
        "dotted key": { "v.a.b": 1 },
        "path as key": { '["v","a","b"]': 1 },
        "upper case": { V: 1 },
        "quoted text": { v: 'a"b\\c' },
        other: { v: "ключ 🎉" },
      };
      await store(...Object.entries(values).map(([id, metadata]) => ({ id, metadata })));
      for (const [id, metadata] of Object.entries(values)) {
        const tokens = metadataTokens(metadata);
        if (tokens.length > 0) expect(await passing({ states: ["ACTIVE"], metadata: tokens })).toEqual([id]);
      }
      expect(await passing({ states: ["ACTIVE"], metadata: metadataTokens({ v: 2 }) })).toEqual([]);
    });

    it("wants every scalar of the metadata that is asked for, and lets others be there", async () => {
      await store(
        { id: "both", metadata: { a: 1, b: { c: "x" }, d: 3 } },
        { id: "a", metadata: { a: 1 } },
        { id: "b", metadata: { b: { c: "x" } } },
      );
      const [a, b] = [metadataTokens({ a: 1 }), metadataTokens({ b: { c: "x" } })];
      expect(await passing({ states: ["ACTIVE"], metadata: a })).toEqual(["a", "both"]);
      expect(await passing({ states: ["ACTIVE"], metadata: [...a, ...b] })).toEqual(["both"]);
    });

    it.each(["createTime", "eventTime"] as const)(
      "takes %s from start on, up to but without end",
      async (field) => {
        await store(...[0, 1, 2, 3].map((step) => ({ id: `t${step}`, [field]: NOW - 100 + step })));
        const range = (start?: number, end?: number): MemoryFilter => ({
          states: ["ACTIVE"],
          [field]: {
            ...(start === undefined ? {} : { start: NOW - 100 + start }),
            ...(end === undefined ? {} : { end: NOW - 100 + end }),
          },
        });
        expect(await passing(range(1))).toEqual(["t1", "t2", "t3"]);
        expect(await passing(range(undefined, 2))).toEqual(["t0", "t1"]);
        expect(await passing(range(1, 3))).toEqual(["t1", "t2"]);
        expect(await passing(range(2, 2))).toEqual([]);
        expect(await passing(range())).toEqual(["t0", "t1", "t2", "t3"]);
      },
    );

    it("lets memories without event time through only when no bound is given", async () => {
      await store({ id: "timed", eventTime: -DAY }, { id: "untimed" });
      expect(await passing({ states: ["ACTIVE"], eventTime: {} })).toEqual(["timed", "untimed"]);
      expect(await passing({ states: ["ACTIVE"], eventTime: { end: NOW } })).toEqual(["timed"]);
      expect(await passing({ states: ["ACTIVE"], eventTime: { start: -DAY } })).toEqual(["timed"]);
    });

    it("takes importance with both bounds", async () => {
      await store(...[0, 0.1, 0.7, 1].map((importance) => ({ id: `i${importance}`, importance })));
      expect(await passing({ states: ["ACTIVE"], importance: { min: 0.1 } })).toEqual(["i0.1", "i0.7", "i1"]);
      expect(await passing({ states: ["ACTIVE"], importance: { max: 0.7 } })).toEqual(["i0", "i0.1", "i0.7"]);
      expect(await passing({ states: ["ACTIVE"], importance: { min: 0.1, max: 0.1 } })).toEqual(["i0.1"]);
      expect(await passing({ states: ["ACTIVE"], importance: { min: 0.11, max: 0.69 } })).toEqual([]);
      expect(await passing({ states: ["ACTIVE"], importance: {} })).toHaveLength(4);
    });

    it("tells pinned from not pinned", async () => {
      await store({ id: "pinned", pinned: true }, { id: "loose" });
      expect(await passing({ states: ["ACTIVE"], pinned: true })).toEqual(["pinned"]);
      expect(await passing({ states: ["ACTIVE"], pinned: false })).toEqual(["loose"]);
    });
  });

  describe("by comparison with matchesFilter", () => {
    const written = NOW - DAY;
    const memories = randomMemories(100, seededRandom(20260101));
    const filters = randomFilters(100, memories, seededRandom(4));

    beforeEach(async () => {
      await subject.store.create(
        subject.scope,
        memories.map((one, index) => findable(one, index)),
        { now: written },
      );
    });

    it("lets 100 random filters see the same memories, in list and in both arms of search", async () => {
      let telling = 0;
      for (const filter of filters) {
        const expected = memories.filter((one) => matchesFilter(one, filter, NOW));
        if (expected.length > 0 && expected.length < memories.length / 2) telling += 1;
        expect({ filter, ids: await passing(filter) }).toEqual({ filter, ids: idsOf(expected).sort() });
      }
      // A generator whose filters pass all or none would prove nothing.
      expect(telling).toBeGreaterThan(50);
    });

    it("gives the same pages under a filter", async () => {
      for (const filter of filters.slice(0, 30)) {
        const expected = memories
          .filter((one) => matchesFilter(one, filter, NOW))
          .sort((a, b) => b.createTime - a.createTime || (a.id < b.id ? 1 : -1));
        const whole = await subject.store.list(subject.scope, { filter, limit: ALL, now: NOW });
        expect(idsOf(whole)).toEqual(idsOf(expected));
        const last = expected[Math.floor(expected.length / 2)];
        if (last === undefined) continue;
        const after = { createTime: last.createTime, id: last.id };
        const rest = await subject.store.list(subject.scope, { filter, after, limit: 3, now: NOW });
        const from = expected.indexOf(last) + 1;
        expect(idsOf(rest)).toEqual(idsOf(expected.slice(from, from + 3)));
      }
    });
  });
}

/** A memory that both arms find: by the shared term, and by a vector of its own. */
function findable(one: Memory, seed: number) {
  return newMemory(one, { onDuplicate: "ALLOW", terms: [SHARED_TERM], vector: vectorOf(seed) });
}

const WORDS = ["a", "A", "b", "a b", "a,b", "O'Neil", 'x"y', "100%", "{t}", "émoji 🎉"];
const KINDS: readonly MemoryKind[] = ["EPISODIC", "SEMANTIC", "PROCEDURAL", "MESSAGE", "SUMMARY"];
const SCALARS: readonly Json[] = [1, "1", 1.5, true, "true", false, null, "null", "a"];
const METADATA: readonly ((value: Json) => JsonObject)[] = [
  (value) => ({ v: value }),
  (value) => ({ v: { w: value } }),
  (value) => ({ "v.w": value, v: 1 }),
  (value) => ({ v: [value], x: { y: { z: value } } }),
  () => ({}),
];

type Random = () => number;

function pick<T>(random: Random, values: readonly [T, ...T[]] | readonly T[]): T {
  const picked = values[Math.floor(random() * values.length)];
  if (picked === undefined) throw new RangeError("nothing to pick from");
  return picked;
}

function some<T>(random: Random, values: readonly T[], share: number): T[] {
  return values.filter(() => random() < share);
}

function randomMemories(count: number, random: Random): Memory[] {
  return Array.from({ length: count }, (_, index) =>
    memory({
      id: `m${index}`,
      kind: pick(random, KINDS),
      userId: pick(random, ["", ...WORDS]),
      agentId: pick(random, ["", "a", "b"]),
      sessionId: pick(random, ["", "s1", "s 2"]),
      author: pick(random, ["", ...WORDS]),
      tags: some(random, WORDS, 0.3),
      metadata: pick(random, METADATA)(pick(random, SCALARS)),
      importance: Math.floor(random() * 5) / 4,
      pinned: random() < 0.3,
      createTime: NOW - DAY - Math.floor(random() * 20),
      state: random() < 0.6 ? "ACTIVE" : pick(random, ANY_STATE.states),
      ...(random() < 0.6 ? { eventTime: NOW - DAY - Math.floor(random() * 20) } : {}),
      ...(random() < 0.4 ? { expireTime: NOW + pick(random, [-1, 0, 1, DAY]) } : {}),
    }),
  );
}

type Condition = (random: Random, model: Memory) => Partial<MemoryFilter>;

/** Conditions that the model memory mostly meets, so that few filters pass nothing. */
const CONDITIONS: readonly Condition[] = [
  (_, { userId }) => (userId === "" ? {} : { userId }),
  (_, { agentId }) => (agentId === "" ? {} : { agentId }),
  (_, { sessionId }) => (sessionId === "" ? {} : { sessionId }),
  (_, { author }) => (author === "" ? {} : { author }),
  (random, { kind }) => ({ kinds: [kind, ...some(random, KINDS, 0.2)] }),
  (random, { tags }) => ({ tagsAny: [pick(random, WORDS), ...tags.slice(0, 1)] }),
  (_, { tags }) => (tags.length === 0 ? {} : { tagsAll: tags.slice(0, 2) }),
  (random) => ({ tagsNone: [pick(random, WORDS), pick(random, WORDS)] }),
  (random, { metadata }) => {
    const tokens = metadataTokens(random() < 0.8 ? metadata : { v: pick(random, SCALARS) });
    return tokens.length === 0 ? {} : { metadata: tokens };
  },
  (random, { createTime }) => ({ createTime: randomRange(random, createTime) }),
  (random, { eventTime }) => ({ eventTime: randomRange(random, eventTime ?? NOW - DAY) }),
  (random, { importance }) => ({
    importance: pick(random, [
      { min: importance },
      { max: importance },
      { min: importance, max: importance },
      {},
    ]),
  }),
  (_, { pinned }) => ({ pinned }),
];

function randomRange(random: Random, time: number): { start?: number; end?: number } {
  return pick(random, [
    { start: time },
    { end: time },
    { end: time + 1 },
    { start: time - 3, end: time + 3 },
    {},
  ]);
}

function randomFilters(count: number, memories: readonly Memory[], random: Random): MemoryFilter[] {
  return Array.from({ length: count }, () => {
    const model = pick(random, memories);
    const states: readonly MemoryState[] = pick(random, [
      ["ACTIVE"],
      ANY_STATE.states,
      [model.state, "ARCHIVED"],
    ]);
    const conditions = Array.from({ length: 1 + Math.floor(random() * 3) }, () =>
      pick(random, CONDITIONS)(random, model),
    );
    return Object.assign({ states: [...new Set(states)] }, ...conditions) as MemoryFilter;
  });
}
