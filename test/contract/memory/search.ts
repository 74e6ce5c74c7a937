import { describe, expect, it } from "vitest";
import { toUnit } from "../../../src/domain/embedding/vector.ts";
import { ACTIVE_ONLY, matchesFilter } from "../../../src/domain/memory/filter.ts";
import { termsOf } from "../../../src/domain/text/terms.ts";
import type { Candidates } from "../../../src/ports/memory/search.ts";
import { DAY, memory, NOW, newMemory } from "../../support/builders.ts";
import {
  freshNamespaceKey,
  lookAlikeNamespaceKeys,
  nearestByScan,
  ODD_TEXTS,
  SIMILARITY_PLACES,
  vectorOf,
} from "../store-under-test.ts";
import { idsOf, type MemorySubject, outcomeText, search, storedIds, write } from "./support.ts";

/** The candidates of both retrievers, and their fields. */
export function searchCases(subject: MemorySubject): void {
  const texts = (...given: readonly (readonly [id: string, text: string])[]) =>
    write(subject, ...given.map(([id, text]) => newMemory({ id, text }, { onDuplicate: "ALLOW" })));
  const containing = async (...terms: readonly string[]): Promise<string[]> =>
    idsOf((await search(subject, { terms })).byKeyword).sort();

  describe("by words", () => {
    it("finds memories that contain any of the terms, and no others", async () => {
      await texts(["a", "red apples"], ["b", "green apples"], ["c", "a green pear"], ["d", "nothing of it"]);
      expect(await containing("appl")).toEqual(["a", "b"]);
      expect(await containing("pear", "red")).toEqual(["a", "c"]);
      expect(await containing("red", "green", "appl")).toEqual(["a", "b", "c"]);
      expect(await containing("plum")).toEqual([]);
      expect(await containing("plum", "pear")).toEqual(["c"]);
    });

    it("matches whole terms, not prefixes or parts", async () => {
      await texts(["a", "category"], ["b", "cat"], ["c", "concat"], ["d", "big cat house"]);
      expect(await containing("cat")).toEqual(["b", "d"]);
      expect(await containing("hous", "big")).toEqual(["d"]);
    });

    it("returns the frequency of each query term in each memory, and the number of its terms", async () => {
      await write(
        subject,
        newMemory({ id: "a" }, { terms: ["tea", "milk", "tea", "tea"] }),
        newMemory({ id: "b" }, { terms: ["milk"] }),
      );
      const { byKeyword: found } = await search(subject, { terms: ["tea", "milk"] });
      const documents = new Map(found.map(({ id, document }) => [id, document]));
      expect(documents.get("a")).toEqual({ counts: [3, 1], length: 4 });
      expect(documents.get("b")).toEqual({ counts: [0, 1], length: 1 });
    });

    it("returns length and frequencies of a very long text", async () => {
      const words = Array.from({ length: 8000 }, (_, index) => `w${index % 4000}`);
      await write(subject, newMemory({ text: words.join(" ") }));
      const { byKeyword: found, corpus } = await search(subject, { terms: ["w0", "w3999", "w4000"] });
      expect(found.map(({ document }) => document)).toEqual([{ counts: [2, 2, 0], length: 8000 }]);
      expect(corpus.meanLength).toBe(8000);
      expect(await containing("w4000")).toEqual([]);
    });

    it("gives at most the limit", async () => {
      await texts(...Array.from({ length: 12 }, (_, index) => [`m${index}`, `tea ${index}`] as const));
      for (const limit of [1, 5, 12, 13]) {
        const { byKeyword: found } = await search(subject, { terms: ["tea"], limit });
        expect(new Set(idsOf(found)).size).toBe(Math.min(limit, 12));
        expect(found).toHaveLength(Math.min(limit, 12));
      }
    });

    it("gives what passes the filter up to the limit, however much else there is", async () => {
      await texts(...Array.from({ length: 30 }, (_, index) => [`m${index}`, "tea tea tea"] as const));
      await write(
        subject,
        newMemory({ id: "pinned", text: "tea with a lot of other words in it", pinned: true }),
      );
      const found = await search(subject, {
        terms: ["tea"],
        limit: 1,
        filter: { ...ACTIVE_ONLY, pinned: true },
      });
      expect(idsOf(found.byKeyword)).toEqual(["pinned"]);
    });

    it("does without a vector", async () => {
      await texts(["a", "tea"]);
      const found = await search(subject, { terms: ["tea"], vector: vectorOf(1) });
      expect([idsOf(found.byVector), idsOf(found.byKeyword)]).toEqual([[], ["a"]]);
    });

    it("is not queried without terms", async () => {
      await write(subject, newMemory({}, { vector: vectorOf(1) }));
      const found = await search(subject, { vector: vectorOf(1) });
      expect([idsOf(found.byVector), idsOf(found.byKeyword)]).toEqual([["m1"], []]);
    });

    it.each(ODD_TEXTS)("finds a memory by each of its terms: %s", async (_name, text) => {
      const terms = termsOf(text);
      await texts(["odd", text], ["other", "plain words"]);
      expect(await storedIds(subject)).toEqual(["odd", "other"]);
      expect(await containing("plain", ...terms)).toEqual(terms.length === 0 ? ["other"] : ["odd", "other"]);
      for (const term of terms) {
        const { byKeyword: found, corpus } = await search(subject, { terms: [term] });
        expect(found.map(({ id, document }) => [id, ...document.counts])).toEqual([
          ["odd", terms.filter((one) => one === term).length],
        ]);
        expect(corpus.documentFrequencies.get(term)).toBe(1);
      }
    });

    it("finds words that are operators of search engines", async () => {
      const words = [
        "and",
        "or",
        "not",
        "near",
        "n1",
        "null",
        "inf",
        "nan",
        "0",
        "1e5",
        "0x10",
        "scope",
        "terms",
      ];
      await write(
        subject,
        ...words.map((word) => newMemory({ id: `has ${word}`, text: word }, { terms: [word] })),
      );
      for (const word of words) expect(await containing(word)).toEqual([`has ${word}`]);
      expect(await containing(...words)).toEqual(words.map((word) => `has ${word}`).sort());
    });

    it("is not led astray by signs, which no term holds", async () => {
      await texts(["a", "apple"], ["b", "cherry"]);
      const signs = [
        '"',
        "'",
        "*",
        "ch*",
        "NEAR(cherr x)",
        "terms:cherr",
        "-apple",
        "^cherr x",
        "(",
        ")",
        "|",
        ":",
      ];
      signs.push('" OR cherr OR "', "@id:{b}", "%cherrx%", "\\", "{cherr x}", "$v", "~cherr x", "=>[KNN 5]");
      for (const sign of signs) {
        expect({ sign, found: await containing(sign, "appl") }).toEqual({ sign, found: ["a"] });
      }
      expect(await containing(...signs, "appl")).toEqual(["a"]);
    });

    it("takes a query of 64 terms", async () => {
      await texts(["a", "needle in hay"]);
      const others = Array.from({ length: 63 }, (_, index) => `other${index}`);
      expect(await containing(...others, "needl")).toEqual(["a"]);
    });

    it("takes terms of 64 characters", async () => {
      const [long, longer] = ["x".repeat(64), `${"x".repeat(63)}y`];
      await write(
        subject,
        newMemory({ id: "a" }, { terms: [long] }),
        newMemory({ id: "b" }, { terms: [longer] }),
      );
      expect(await containing(long)).toEqual(["a"]);
    });
  });

  describe("the corpus", () => {
    const corpusOf = async (terms: readonly string[], filter = ACTIVE_ONLY) => {
      const { corpus } = await search(subject, { terms, filter, limit: 1 });
      return {
        documents: corpus.documentCount,
        terms: corpus.meanLength * corpus.documentCount,
        frequencies: terms.map((term) => corpus.documentFrequencies.get(term) ?? 0),
      };
    };
    const documents = [["tea", "tea", "milk"], ["tea"], ["milk", "sugar"], [], ["teapot", "milk"]];

    it("counts all memories of the namespace, in any state and whatever the filter", async () => {
      await write(
        subject,
        ...documents.map((terms, index) =>
          newMemory({ id: `m${index}`, state: index % 2 === 0 ? "ARCHIVED" : "ACTIVE" }, { terms }),
        ),
      );
      const expected = { documents: 5, terms: 8, frequencies: [2, 3, 1, 0] };
      const asked = ["tea", "milk", "sugar", "plum"];
      expect(await corpusOf(asked)).toEqual(expected);
      expect(await corpusOf(asked, { states: ["SUPERSEDED"], userId: "nobody" })).toEqual(expected);
    });

    it("counts nothing that was refused or a duplicate", async () => {
      const outcomes = await write(
        subject,
        newMemory({ id: "a", text: "tea" }),
        newMemory({ id: "b", text: "tea" }),
        newMemory({ id: "a", text: "milk" }),
        newMemory({ id: "c", text: "tea" }, { onDuplicate: "REFUSE" }),
      );
      expect(outcomes.map(outcomeText)).toEqual([
        "created a",
        "duplicate a",
        "refused MEMORY_ALREADY_EXISTS",
        "refused MEMORY_DUPLICATE",
      ]);
      expect(await corpusOf(["tea", "milk"])).toEqual({ documents: 1, terms: 1, frequencies: [1, 0] });
    });

    it("does not count deleted memories", async () => {
      await write(subject, ...documents.map((terms, index) => newMemory({ id: `m${index}` }, { terms })));
      await subject.store.writer.delete(subject.scope, "m0", { now: NOW });
      await subject.store.writer.delete(subject.scope, "m3", { now: NOW });
      expect(await corpusOf(["tea", "milk"])).toEqual({ documents: 3, terms: 5, frequencies: [1, 2] });
      for (const id of ["m1", "m2", "m4"]) await subject.store.writer.delete(subject.scope, id, { now: NOW });
      expect(await corpusOf(["tea", "milk"])).toEqual({ documents: 0, terms: 0, frequencies: [0, 0] });
    });

    it("follows what is written and deleted after a first search", async () => {
      const { writer } = subject.store;
      const asked = ["tea", "milk", "sugar"];
      const frequencies = async () => (await corpusOf(asked)).frequencies;
      await write(subject, newMemory({ id: "a" }, { terms: ["tea", "milk"] }));
      expect(await frequencies()).toEqual([1, 1, 0]);
      await write(subject, newMemory({ id: "b" }, { terms: ["tea", "tea", "sugar"] }));
      expect(await frequencies()).toEqual([2, 1, 1]);
      const { onDuplicate: _, ...next } = newMemory({ id: "a", etag: "e2" }, { terms: ["sugar"] });
      const [before] = await subject.store.reader.get(subject.scope, ["a"], NOW);
      await writer.replace(subject.scope, before?.etag ?? "", next, { now: NOW });
      expect(await frequencies()).toEqual([1, 0, 2]);
      await writer.delete(subject.scope, "b", { now: NOW });
      expect(await frequencies()).toEqual([0, 0, 1]);
    });

    it("counts no other namespace and no other tenant", async () => {
      const [scope, ...others] = lookAlikeNamespaceKeys();
      for (const other of others) {
        await subject.store.writer.create(other, [newMemory({ id: "x" }, { terms: ["tea", "other"] })], {
          now: NOW,
        });
      }
      await subject.store.writer.create(scope, [newMemory({ id: "x" }, { terms: ["tea"] })], { now: NOW });
      const { corpus } = await subject.store.search.search(
        scope,
        { terms: ["tea", "other"], filter: ACTIVE_ONLY, limit: 5 },
        NOW,
      );
      expect([corpus.documentCount, corpus.meanLength]).toEqual([1, 1]);
      expect([corpus.documentFrequencies.get("tea"), corpus.documentFrequencies.get("other") ?? 0]).toEqual([
        1, 0,
      ]);
    });

    it("is exact among many writers", async () => {
      await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          write(
            subject,
            newMemory({ id: `m${index}` }, { terms: ["tea", ...(index % 4 === 0 ? ["milk"] : [])] }),
          ),
        ),
      );
      await Promise.all(
        [0, 1, 2, 3].map((index) => subject.store.writer.delete(subject.scope, `m${index}`, { now: NOW })),
      );
      expect(await corpusOf(["tea", "milk"])).toEqual({ documents: 16, terms: 20, frequencies: [16, 4] });
    });
  });

  describe("by vector", () => {
    const vectors = new Map<string, Float32Array>(
      Array.from({ length: 150 }, (_, index) => [`m${index}`, vectorOf(index)] as const),
    );
    const memories = [...vectors.keys()].map((id, index) =>
      memory({ id, pinned: index % 3 === 0, state: index % 5 === 0 ? "ARCHIVED" : "ACTIVE" }),
    );
    const storeAll = () =>
      write(subject, ...memories.map((one) => newMemory(one, withVector(vectors.get(one.id)))));

    it.each([
      ["any state", { states: ["ACTIVE", "ARCHIVED"] }],
      ["what default reads see", ACTIVE_ONLY],
      ["a filter", { states: ["ACTIVE"], pinned: true }],
    ] as const)("finds what an exact scan finds, nearest first: %s", async (_name, filter) => {
      await storeAll();
      const passing = new Map(
        memories
          .filter((one) => matchesFilter(one, filter, NOW))
          .flatMap(({ id }) => [[id, vectors.get(id) ?? new Float32Array()] as const]),
      );
      for (const seed of [1001, 1002, 1003]) {
        for (const limit of [1, 10, 400]) {
          const query = vectorOf(seed);
          const { byVector: nearest } = await search(subject, { vector: query, filter, limit });
          expectScan(nearest, nearestByScan(query, passing, limit));
        }
      }
    });

    it("gives a memory the similarity 1 to its own vector and -1 to the opposite one", async () => {
      const vector = vectorOf(1);
      await write(subject, newMemory({}, { vector }));
      const same = await search(subject, { vector });
      const opposite = await search(subject, { vector: vector.map((value) => -value) });
      expect(same.byVector[0]?.similarity).toBeCloseTo(1, SIMILARITY_PLACES);
      expect(opposite.byVector[0]?.similarity).toBeCloseTo(-1, SIMILARITY_PLACES);
      for (const { similarity } of [...same.byVector, ...opposite.byVector]) {
        expect(Math.abs(similarity)).toBeLessThanOrEqual(1);
      }
    });

    it("brings the nearest first, whatever stands in their ids", async () => {
      const query = vectorOf(1);
      const aside = vectorOf(2);
      const ids = ["first", "second\u0000", "third"];
      await write(
        subject,
        ...ids.map((id, at) =>
          newMemory(
            { id },
            withVector(toUnit(query.map((value, place) => value + at * (aside[place] ?? 0)))),
          ),
        ),
      );
      const { byVector: nearest } = await search(subject, { vector: query });
      expect(idsOf(nearest)).toEqual(ids);
    });

    it("finds all of several memories with the same vector", async () => {
      const vector = vectorOf(1);
      await write(subject, ...["a", "b", "c"].map((id) => newMemory({ id }, { vector })));
      expect(idsOf((await search(subject, { vector })).byVector).sort()).toEqual(["a", "b", "c"]);
      expect((await search(subject, { vector, limit: 2 })).byVector).toHaveLength(2);
    });

    it("passes memories without vector over", async () => {
      const vector = vectorOf(1);
      await write(subject, newMemory({ id: "with" }, { vector }), newMemory({ id: "without" }));
      const found = await search(subject, { vector, terms: ["fact"] });
      expect(idsOf(found.byVector)).toEqual(["with"]);
      expect(idsOf(found.byKeyword).sort()).toEqual(["with", "without"]);
    });

    it("finds memories without any term", async () => {
      const vector = vectorOf(1);
      await write(subject, newMemory({ text: "?!" }, { vector, terms: [] }));
      const found = await search(subject, { vector, terms: ["fact"] });
      expect([idsOf(found.byVector), idsOf(found.byKeyword)]).toEqual([["m1"], []]);
    });

    it("is not crowded out by nearer ones that the filter holds back, nor by other namespaces", async () => {
      const vector = vectorOf(1);
      const crowd = Array.from({ length: 40 }, (_, index) => `c${index}`);
      await subject.store.writer.create(
        freshNamespaceKey(),
        crowd.map((id) => newMemory({ id }, { vector })),
        { now: NOW },
      );
      await write(subject, ...crowd.map((id) => newMemory({ id, state: "ARCHIVED" }, { vector })));
      await write(subject, newMemory({ id: "far" }, { vector: vector.map((value) => -value) }));
      expect(idsOf((await search(subject, { vector, limit: 1, filter: ACTIVE_ONLY })).byVector)).toEqual([
        "far",
      ]);
    });

    it("sees each write that has resolved, before and after a first search", async () => {
      const nearestIds = async (filter = ACTIVE_ONLY) =>
        idsOf((await search(subject, { vector: vectorOf(1), filter })).byVector).sort();
      expect(await nearestIds()).toEqual([]);
      await write(subject, newMemory({ id: "a" }, { vector: vectorOf(1) }));
      expect(await nearestIds()).toEqual(["a"]);
      await write(
        subject,
        newMemory({ id: "b" }, { vector: vectorOf(2) }),
        newMemory({ id: "c" }, { vector: vectorOf(3) }),
      );
      expect(await nearestIds()).toEqual(["a", "b", "c"]);
      await subject.store.writer.delete(subject.scope, "b", { now: NOW });
      expect(await nearestIds()).toEqual(["a", "c"]);
      expect(await nearestIds({ ...ACTIVE_ONLY, pinned: false })).toEqual(["a", "c"]);
    });

    it("respects state and expire time of memories written after a first search", async () => {
      const vector = vectorOf(1);
      const nearestIds = async (now: number, filter = ACTIVE_ONLY) =>
        idsOf((await search(subject, { vector, filter }, now)).byVector).sort();
      await write(subject, newMemory({ id: "active" }, { vector }));
      expect(await nearestIds(NOW)).toEqual(["active"]);
      await write(
        subject,
        newMemory({ id: "archived", state: "ARCHIVED" }, { vector }),
        newMemory({ id: "ending", expireTime: NOW + 1 }, { vector }),
      );
      expect(await nearestIds(NOW)).toEqual(["active", "ending"]);
      expect(await nearestIds(NOW, { states: ["ARCHIVED"] })).toEqual(["archived"]);
      expect(await nearestIds(NOW + 1)).toEqual(["active"]);
    });

    it("agrees with an exact scan after many writes and deletions", async () => {
      await storeAll();
      await search(subject, { vector: vectorOf(1) });
      const left = new Map(vectors);
      for (const [index, id] of [...vectors.keys()].entries()) {
        if (index % 7 < 3) {
          await subject.store.writer.delete(subject.scope, id, { now: NOW });
          left.delete(id);
        }
        if (index % 7 === 1) {
          const vector = vectorOf(5000 + index);
          await write(subject, newMemory({ id }, { vector }));
          left.set(id, vector);
        }
      }
      const query = vectorOf(1001);
      expectScan((await search(subject, { vector: query })).byVector, nearestByScan(query, left, 400));
    });
  });

  describe("the plan", () => {
    const EXACT = ["EXACT", "ADHOC_BF", "FLAT"];

    it("compares a small set completely, and reports its size", async () => {
      const users = ["ana", "ben", "ben", "ben"];
      await write(
        subject,
        ...users.map((userId, at) =>
          newMemory({ id: `m${at}`, userId, pinned: at === 1 }, { vector: vectorOf(at) }),
        ),
      );
      const filters = [
        [{}, 4],
        [{ userId: "ben" }, 3],
        [{ userId: "ben", pinned: true }, 1],
        [{ userId: "nobody" }, 0],
      ] as const;
      for (const [given, passing] of filters) {
        const query = { vector: vectorOf(1), filter: { ...ACTIVE_ONLY, ...given } };
        const { byVector: nearest, plan } = await search(subject, query);
        expect(nearest).toHaveLength(passing);
        expect(EXACT).toContain(plan.vector?.policy);
        expect(plan.vector?.candidates).toBe(0);
        const { count, basis } = plan.vector?.eligible ?? { count: -1, basis: undefined };
        expect({ given, basis, count }).toEqual({ given, basis, count: expect.any(Number) });
        if (basis === "UPPER_BOUND") expect(count).toBeGreaterThanOrEqual(passing);
        else expect({ given, count }).toEqual({ given, count: passing });
        expect(plan.rounds).toBeGreaterThanOrEqual(1);
      }
    });

    it("queries the rare terms, leaves out the common ones, and drops those in no memory", async () => {
      const common = Array.from({ length: 1001 }, (_, at) =>
        newMemory({ id: `c${at}` }, { terms: ["common"], onDuplicate: "ALLOW" }),
      );
      const rare = ["r0", "r1"].map((id) =>
        newMemory({ id }, { terms: ["common", "rare"], onDuplicate: "ALLOW" }),
      );
      await write(subject, ...rare, ...common);
      const { plan, byKeyword: found } = await search(subject, {
        terms: ["common", "nowhere", "rare"],
        limit: 2,
        filter: ACTIVE_ONLY,
      });
      expect([plan.terms, plan.commonTerms]).toEqual([["rare"], ["common"]]);
      expect(idsOf(found).sort()).toEqual(["r0", "r1"]);
      const alone = await search(subject, { terms: ["common"] });
      expect([alone.plan.terms, alone.plan.commonTerms]).toEqual([["common"], []]);
    });

    it("reports retrievers that were not queried", async () => {
      await write(subject, newMemory({ text: "tea" }, { vector: vectorOf(1) }));
      const byWords = (await search(subject, { terms: ["tea"] })).plan;
      expect([byWords.vector, byWords.terms]).toEqual([undefined, ["tea"]]);
      const byVector = (await search(subject, { vector: vectorOf(1) })).plan;
      expect([byVector.vector === undefined, byVector.terms, byVector.commonTerms]).toEqual([false, [], []]);
    });

    it("is exact with a filter that no index may know", async () => {
      await write(subject, ...["a", "b"].map((id, at) => newMemory({ id }, { vector: vectorOf(at) })));
      subject.store.accessCounts.add(subject.scope, ["a"], NOW);
      const filter = { ...ACTIVE_ONLY, lastAccessTime: { start: NOW } };
      const { byVector: nearest, plan } = await search(subject, { vector: vectorOf(1), filter });
      expect(idsOf(nearest)).toEqual(["a"]);
      expect(plan.vector).toEqual({
        policy: "EXACT",
        candidates: 0,
        eligible: { count: 1, basis: "COUNTED" },
      });
    });
  });

  describe("by both", () => {
    it("returns the id, the event time or else the create time, and the importance of each candidate", async () => {
      const vector = vectorOf(1);
      await write(
        subject,
        newMemory({ id: "event", createTime: NOW - 1, eventTime: NOW - DAY, importance: 0.25 }, { vector }),
        newMemory({ id: "plain", createTime: NOW - 2, importance: 1 }, { vector }),
        newMemory({ id: "before 1970", eventTime: -DAY, importance: 0 }, { vector }),
      );
      const found = await search(subject, { vector, terms: ["fact"] });
      const expected = [
        { id: "before 1970", time: -DAY, importance: 0 },
        { id: "event", time: NOW - DAY, importance: 0.25 },
        { id: "plain", time: NOW - 2, importance: 1 },
      ];
      const factsOf = ({ byVector: nearest, byKeyword: byWords }: Candidates) =>
        [nearest, byWords].map((matches) =>
          matches
            .map(({ id, time, importance }) => ({ id, time, importance }))
            .sort((a, b) => (a.id < b.id ? -1 : 1)),
        );
      expect(factsOf(found)).toEqual([expected, expected]);
    });

    it("applies limit and filter to each retriever", async () => {
      await write(
        subject,
        ...Array.from({ length: 10 }, (_, index) =>
          newMemory({ id: `m${index}`, pinned: index < 6 }, { vector: vectorOf(index) }),
        ),
      );
      const filter = { ...ACTIVE_ONLY, pinned: true };
      const few = await search(subject, { vector: vectorOf(9), terms: ["fact"], filter, limit: 4 });
      expect([few.byVector.length, few.byKeyword.length]).toEqual([4, 4]);
      const all = await search(subject, { vector: vectorOf(9), terms: ["fact"], filter });
      const pinned = ["m0", "m1", "m2", "m3", "m4", "m5"];
      expect([idsOf(all.byVector).sort(), idsOf(all.byKeyword).sort()]).toEqual([pinned, pinned]);
    });

    it("removes deleted memories from both retrievers", async () => {
      const vector = vectorOf(1);
      await write(subject, newMemory({ id: "a" }, { vector }), newMemory({ id: "b" }, { vector }));
      await subject.store.writer.delete(subject.scope, "a", { now: NOW });
      const found = await search(subject, { vector, terms: ["fact", "a"] });
      expect([idsOf(found.byVector), idsOf(found.byKeyword)]).toEqual([["b"], ["b"]]);
    });

    it("finds the current text of an id, and not the previous one", async () => {
      await write(subject, newMemory({ text: "tea" }, { vector: vectorOf(1) }));
      await search(subject, { vector: vectorOf(1), terms: ["tea"] });
      await subject.store.writer.delete(subject.scope, "m1", { now: NOW });
      await write(subject, newMemory({ text: "milk" }));
      const found = await search(subject, { vector: vectorOf(1), terms: ["tea"] });
      expect([idsOf(found.byVector), idsOf(found.byKeyword)]).toEqual([[], []]);
      expect(await containing("milk")).toEqual(["m1"]);
      expect(await subject.store.search.vectors(subject.scope, ["m1"])).toEqual([undefined]);
    });
  });
}

function withVector(vector: Float32Array | undefined): { readonly vector?: Float32Array } {
  return vector === undefined ? {} : { vector };
}

/** Expects the same memories in the same order, with the similarities of an exact scan. */
function expectScan(
  nearest: Candidates["byVector"],
  expected: readonly { readonly id: string; readonly similarity: number }[],
): void {
  expect(idsOf(nearest)).toEqual(idsOf(expected));
  for (const [index, { similarity }] of nearest.entries()) {
    expect(similarity).toBeCloseTo(expected[index]?.similarity ?? Number.NaN, SIMILARITY_PLACES);
  }
}
