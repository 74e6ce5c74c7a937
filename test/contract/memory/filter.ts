import { beforeEach, describe, expect, it } from "vitest";
import {
  ACTIVE_ONLY,
  type MemoryFilter,
  matchesFilter,
  metadataTokens,
} from "../../../src/domain/memory/filter.ts";
import type { Memory, StoredMemory } from "../../../src/domain/memory/memory.ts";
import type { JsonObject } from "../../../src/lib/json.ts";
import { DAY, memory, NOW, newMemory, seededRandom } from "../../support/builders.ts";
import { fieldsOf, randomFilter } from "../../support/random-filters.ts";
import { pick, randomAccess, randomMemory } from "../../support/random-memories.ts";
import { COUNTS } from "../../support/scale.ts";
import { vectorOf } from "../store-under-test.ts";
import { ALL, ANY_STATE, idsOf, type MemorySubject, search, write } from "./support.ts";

/** A word that every memory of these cases contains. */
const SHARED_TERM = "shared";

/** The contract of each field of a filter: by examples, and by comparison with the pure matchesFilter. */
export function filterCases(subject: MemorySubject): void {
  /** The ids that a filter lets through, after a check that list and both retrievers of a search agree. */
  const passing = async (filter: MemoryFilter, now = NOW): Promise<string[]> => {
    const listed = await subject.store.reader.list(subject.scope, { filter, limit: ALL, now });
    const found = await search(subject, { vector: vectorOf(0), terms: [SHARED_TERM], filter }, now);
    const ids = idsOf(listed).sort();
    expect({ nearest: idsOf(found.byVector).sort(), containing: idsOf(found.byKeyword).sort() }).toEqual({
      nearest: ids,
      containing: ids,
    });
    return ids;
  };
  const store = (...memories: readonly Partial<Memory>[]) =>
    write(subject, ...memories.map((given, index) => findable(memory({ id: `m${index}`, ...given }), index)));

  describe("by examples", () => {
    it("matches the given states", async () => {
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

    it("requires every given scalar of the metadata, and allows others", async () => {
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

    it("distinguishes pinned from not pinned", async () => {
      await store({ id: "pinned", pinned: true }, { id: "loose" });
      expect(await passing({ states: ["ACTIVE"], pinned: true })).toEqual(["pinned"]);
      expect(await passing({ states: ["ACTIVE"], pinned: false })).toEqual(["loose"]);
    });
  });

  describe("by comparison with matchesFilter", () => {
    const random = seededRandom(20260101);
    const memories = Array.from({ length: 100 }, (_, index): StoredMemory => {
      const access = randomAccess(random);
      return { ...randomMemory(random, `m${index}`), ...(access === undefined ? {} : { access }) };
    });
    const count = COUNTS.filters;
    const filters = Array.from({ length: count }, () => randomFilter(random, pick(random, memories)));
    const findables = new Map(memories.map((one, index) => [one.id, findable(one, index)] as const));
    const write = async (ids: readonly string[]): Promise<void> => {
      await subject.store.writer.create(
        subject.scope,
        ids.flatMap((id) => findables.get(id) ?? []),
        { now: WRITTEN },
      );
      for (const { id, access } of memories) {
        if (access === undefined || !ids.includes(id)) continue;
        const accesses = Array.from({ length: access.accessCount }, () => id);
        subject.store.accessCounts.add(subject.scope, accesses, access.lastAccessTime);
      }
    };
    const expectedIds = (filter: MemoryFilter): string[] =>
      idsOf(memories.filter((one) => matchesFilter(one, filter, NOW))).sort();

    beforeEach(() => write([...findables.keys()]));

    it(`lets ${count} random filters see the same memories: in list, count, purge and both retrievers of a search`, async () => {
      let telling = 0;
      for (const [index, filter] of filters.entries()) {
        const expected = expectedIds(filter);
        if (expected.length > 0 && expected.length < memories.length / 2) telling += 1;
        const ids = await passing(filter);
        const counted = await subject.store.reader.count(subject.scope, filter, NOW);
        expect({ index, filter, ids, counted }).toEqual({
          index,
          filter,
          ids: expected,
          counted: expected.length,
        });
        if (expected.length === 0) continue;
        const purged = await subject.store.purge.run(subject.scope, filter, { now: NOW });
        const left = await subject.store.reader.count(subject.scope, ANY_STATE, NOW);
        const alive = memories.filter((one) => matchesFilter(one, ANY_STATE, NOW)).length;
        expect({ index, filter, purged, left }).toEqual({
          index,
          filter,
          purged: expected.length,
          left: alive - expected.length,
        });
        await write(expected);
      }
      // A generator whose filters pass all or none, or never ask for a field, would prove nothing.
      expect(telling).toBeGreaterThan(count / 3);
      for (const [field, times] of fieldsOf(filters)) {
        expect([field, times > count / 20]).toEqual([field, true]);
      }
    });

    it("gives the same pages under a filter", async () => {
      for (const filter of filters.slice(0, 30)) {
        const expected = memories
          .filter((one) => matchesFilter(one, filter, NOW))
          .sort((a, b) => b.createTime - a.createTime || (a.id < b.id ? 1 : -1));
        const whole = await subject.store.reader.list(subject.scope, { filter, limit: ALL, now: NOW });
        expect(idsOf(whole)).toEqual(idsOf(expected));
        const last = expected[Math.floor(expected.length / 2)];
        if (last === undefined) continue;
        const after = { createTime: last.createTime, id: last.id };
        const rest = await subject.store.reader.list(subject.scope, { filter, after, limit: 3, now: NOW });
        const from = expected.indexOf(last) + 1;
        expect(idsOf(rest)).toEqual(idsOf(expected.slice(from, from + 3)));
        const bounds = { limit: 3, maxBytes: Number.MAX_SAFE_INTEGER };
        const before = await subject.store.exporter.listOldest(subject.scope, {
          filter,
          after,
          ...bounds,
          now: NOW,
        });
        expect(idsOf(before)).toEqual(idsOf(expected.slice(0, from - 1).reverse()).slice(0, 3));
      }
    });
  });
}

/** Before any memory of these cases ends. */
const WRITTEN = NOW - DAY;

/** A memory that both retrievers find: by the shared term, and by a vector of its own. */
function findable({ access: _, ...one }: StoredMemory, seed: number) {
  return newMemory(one, { onDuplicate: "ALLOW", terms: [SHARED_TERM], vector: vectorOf(seed) });
}
