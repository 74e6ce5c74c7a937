import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { memory, NOW, unitVector } from "../../../../test/support/builders.ts";
import { type IndexedMemories, openIndexedMemories } from "../../../../test/support/indexed-memories.ts";
import { sharedRedisUrl } from "../../../../test/support/redis/run.ts";
import { ModelChanged } from "../../../domain/embedding/identity.ts";
import { dot } from "../../../domain/embedding/vector.ts";
import { ACTIVE_ONLY, EVERY_STATE, type MemoryFilter } from "../../../domain/memory/filter.ts";
import type { CandidateQuery } from "../../../ports/memory/search.ts";
import { CounterCache } from "./counter-cache.ts";
import { MemorySearch } from "./search.ts";

const URL = await sharedRedisUrl();
const DIMENSION = 24;
const vectorOf = (seed: number): Float32Array => unitVector(seed, DIMENSION);

const never = async (): Promise<never> => {
  throw new Error("was not to be called");
};

describe.skipIf(URL === "")("a search in Redis", () => {
  let index: IndexedMemories;
  let scope = { tenant: "t", namespace: "n0" };
  let scopes = 0;
  beforeAll(async () => {
    index = await openIndexedMemories(URL, { dimension: DIMENSION });
  });
  afterAll(() => index[Symbol.asyncDispose]());
  beforeEach(() => {
    scopes += 1;
    scope = { tenant: "t", namespace: `n${scopes}` };
    index.asked();
  });

  const opened = (sweep: () => Promise<void> = never): MemorySearch =>
    new MemorySearch({
      ...index,
      counters: new CounterCache(),
      sweep,
      walk: never,
      missing: never,
      hasHistory: () => true,
    });
  const put = (count: number, termsOf: (at: number) => readonly string[], from = 0) =>
    index.put(
      scope,
      Array.from({ length: count }, (_, at) => ({
        memory: memory({ id: `m${from + at}` }),
        terms: termsOf(from + at),
      })),
    );
  const byWords = async (search: MemorySearch, terms: readonly string[], limit = 100) => {
    const { byKeyword: containing, corpus } = await search.search(
      scope,
      { terms, filter: ACTIVE_ONLY, limit },
      NOW,
    );
    const { documentFrequencies } = corpus;
    return {
      ids: containing.map(({ id }) => id).sort(),
      frequencies: Object.fromEntries(documentFrequencies),
    };
  };
  /** The terms of the last keyword search. */
  const lastTerms = (): string[] => {
    const words = (index.asked().at(-1)?.at(-1) ?? []).map(String);
    return words.filter((_, at) => /^t\d+$/.test(words[at - 1] ?? ""));
  };

  describe("by keywords", () => {
    it("finds the one document with all terms, where it is the first with the rare ones", async () => {
      const termsOf = (at: number): string[] => {
        const batch = Math.floor(at / 9);
        return [`writer${batch % 3}`, `change${batch}`, `word${at}`, `part${at % 9}`];
      };
      await put(360, termsOf);
      for (const at of [63, 90, 95, 207, 351]) {
        expect((await byWords(opened(), termsOf(at), 20)).ids).toContain(`m${at}`);
      }
    });

    it("is one round trip, and searches only rare terms once their frequencies are cached", async () => {
      await put(1500, (at) => ["common", ...(at < 3 ? ["rare"] : [])]);
      const search = opened();
      await byWords(search, ["common", "rare"]);
      index.asked();
      expect(await byWords(search, ["common", "rare"])).toEqual({
        ids: ["m0", "m1", "m2"],
        frequencies: { common: 1500, rare: 3 },
      });
      const trips = index.asked();
      expect(trips).toHaveLength(1);
      expect(trips[0]).toHaveLength(1);
      await byWords(search, ["rare", "common"]);
      expect(lastTerms()).toEqual(["rare"]);
    });

    it("finds the same when no frequency is cached", async () => {
      await put(1500, (at) => ["common", ...(at < 3 ? ["rare"] : [])]);
      expect((await byWords(opened(), ["common", "rare"])).ids).toEqual(["m0", "m1", "m2"]);
      // The common word had crowded out the rare one: a second round.
      expect(lastTerms()).toEqual(["rare"]);
      const query = { terms: ["common", "rare"], filter: ACTIVE_ONLY, limit: 100 };
      const search = opened();
      const plans = [await search.search(scope, query, NOW), await search.search(scope, query, NOW)];
      expect(plans.map(({ plan }) => plan)).toEqual(
        [2, 1].map((rounds) => ({ terms: ["rare"], commonTerms: ["common"], walked: false, rounds })),
      );
    });

    it("does not search again for terms of no memory", async () => {
      await put(20, (at) => [`t${at % 3}`]);
      await byWords(opened(), ["t0", "t1", "nowhere"]);
      expect(index.asked()).toHaveLength(1);
    });

    it("searches again when writes of another process change the choice of terms", async () => {
      await put(3, () => ["a"]);
      const search = opened();
      await byWords(search, ["a", "b"]);
      // By now a is common, and b is not.
      await put(1200, () => ["a"], 3);
      await put(5, () => ["b"], 2000);
      index.asked();
      expect(await byWords(search, ["a", "b"])).toEqual({
        ids: ["m2000", "m2001", "m2002", "m2003", "m2004"],
        frequencies: { a: 1203, b: 5 },
      });
      expect(index.asked().length).toBe(2);
      // And back: the skipped term is the rare one now.
      await index.remove(
        scope,
        Array.from({ length: 1202 }, (_, at) => ({ memory: memory({ id: `m${at}` }), terms: ["a"] })),
      );
      await put(1100, () => ["b"], 3000);
      expect((await byWords(search, ["a", "b"])).ids).toEqual(["m1202"]);
    });

    it.each([
      "and",
      "or",
      "not",
      "if",
      "the",
      "2026",
      "0",
      "1e5",
      "_6dc3",
      "x".repeat(64),
      "寿司",
      "ключ",
      "é".repeat(30),
    ])("finds a word unchanged: %s", async (word) => {
      await index.put(scope, [
        { memory: memory({ id: "has" }), terms: [word, "other"] },
        { memory: memory({ id: "has not" }), terms: [`${word}x`, "else"] },
      ]);
      expect((await byWords(opened(), [word])).ids).toEqual(["has"]);
    });

    it("counts terms in long texts", async () => {
      const terms = Array.from({ length: 5000 }, (_, at) => `w${at % 100}`);
      await index.put(scope, [{ memory: memory(), terms }]);
      const query = { terms: ["w3", "w5"], filter: ACTIVE_ONLY, limit: 10 };
      const { byKeyword: containing } = await opened().search(scope, query, NOW);
      expect(containing[0]?.document).toEqual({ counts: [50, 50], length: 5000 });
    });
  });

  describe("of expired memories", () => {
    const ending = Array.from({ length: 30 }, (_, at) => ({
      memory: memory({ id: `e${at}`, expireTime: NOW }),
      terms: ["fact"],
      vector: vectorOf(1),
    }));
    const staying = { memory: memory({ id: "stays" }), terms: ["fact", "more"], vector: vectorOf(2) };
    const query = { vector: vectorOf(1), terms: ["fact"], filter: ACTIVE_ONLY };

    it("sweeps and searches again when they crowd out others", async () => {
      await index.put(scope, [...ending, staying]);
      let swept = 0;
      const search = opened(async () => {
        swept += 1;
        await index.remove(scope, ending);
      });
      const {
        byVector: nearest,
        byKeyword: containing,
        corpus,
      } = await search.search(scope, { ...query, limit: 5 }, NOW);
      expect([nearest, containing].map((matches) => matches.map(({ id }) => id))).toEqual([
        ["stays"],
        ["stays"],
      ]);
      expect([corpus.documentCount, swept]).toEqual([1, 1]);
    });

    it("leaves them out without a sweep when the limit is not reached", async () => {
      await index.put(scope, [...ending, staying]);
      const { byVector: nearest, byKeyword: containing } = await opened().search(
        scope,
        { ...query, limit: 100 },
        NOW,
      );
      expect([nearest, containing].map((matches) => matches.map(({ id }) => id))).toEqual([
        ["stays"],
        ["stays"],
      ]);
    });

    it("finds them before they expire", async () => {
      await index.put(scope, [...ending, staying]);
      const { byVector: nearest } = await opened().search(scope, { ...query, limit: 100 }, NOW - 1);
      expect(nearest).toHaveLength(31);
    });
  });

  it("rejects with ModelChanged when the model has changed, and reads which one it is", async () => {
    await using other = await openIndexedMemories(URL, { dimension: DIMENSION });
    await other.put(scope, [{ memory: memory(), vector: vectorOf(1) }]);
    const search = new MemorySearch({
      ...other,
      counters: new CounterCache(),
      sweep: never,
      walk: never,
      missing: never,
      hasHistory: () => true,
    });
    const query: CandidateQuery = { vector: vectorOf(1), filter: ACTIVE_ONLY, limit: 3 };
    expect((await search.search(scope, query, NOW)).byVector).toHaveLength(1);
    const { meta } = other.keys.partition(0);
    const model = JSON.stringify({ provider: "test", model: "next", dimension: DIMENSION });
    await other.client.command("HSET", meta, "generation", 2, "model", model);
    await expect(search.search(scope, query, NOW)).rejects.toThrow(ModelChanged);
    expect(other.model.generation).toBe(2);
    // The index has no field of this generation, and no vector was compared with one of another.
    await expect(search.search(scope, query, NOW)).rejects.toThrow();
    await other.client.command("HSET", meta, "generation", 3);
    await expect(search.search(scope, query, NOW)).rejects.toThrow(ModelChanged);
    const made = { provider: "test", model: "test", dimension: DIMENSION };
    await expect(search.vectors(scope, ["m1"], made)).rejects.toThrow(ModelChanged);
    expect(await search.vectors(scope, ["m1"])).toEqual([undefined]);
  });

  it("finds nothing in a missing namespace", async () => {
    const query = { vector: vectorOf(1), terms: ["fact"], filter: ACTIVE_ONLY, limit: 3 };
    const found = await opened().search({ ...scope, namespace: "nowhere" }, query, NOW);
    expect([found.byVector, found.byKeyword, found.corpus.documentCount]).toEqual([[], [], 0]);
    expect(await opened().vectors({ ...scope, namespace: "nowhere" }, ["m1"])).toEqual([undefined]);
  });

  describe.each(["HNSW", "FLAT"] as const)("by vector, over %s", (algorithm) => {
    const LIMIT = 10;
    const COUNT = 3000;
    const tagged = (at: number): string[] => [
      "all",
      ...(at % 2 === 0 ? ["half"] : []),
      ...(at % 100 === 0 ? ["hundredth"] : []),
      ...(at < 5 ? ["five"] : []),
    ];
    const all = Array.from({ length: COUNT }, (_, at) => ({
      memory: memory({ id: `m${at}`, tags: tagged(at), userId: at % 3 === 0 ? "ana" : "ben" }),
      terms: ["fact"],
      vector: at % 10 === 9 ? undefined : vectorOf(at),
    }));
    let vectors: IndexedMemories;
    let search: MemorySearch;
    beforeAll(async () => {
      vectors = await openIndexedMemories(URL, { algorithm, dimension: DIMENSION });
      await vectors.put({ tenant: "t", namespace: "crowd" }, all);
      await vectors.put({ tenant: "t", namespace: "n" }, all);
      search = new MemorySearch({
        ...vectors,
        counters: new CounterCache(),
        sweep: never,
        walk: never,
        missing: never,
        hasHistory: () => true,
      });
    }, 60_000);
    afterAll(() => vectors[Symbol.asyncDispose]());

    it.each<[string, Partial<MemoryFilter>, "ADHOC_BF" | "BATCHES", number]>([
      ["no filter", {}, "BATCHES", 0.95],
      ["a user of many memories", { userId: "ben" }, "BATCHES", 0.95],
      ["a user of few", { userId: "ana" }, "ADHOC_BF", 1],
      ["a common tag", { tagsAll: ["half"] }, "BATCHES", 0.95],
      ["a rare tag", { tagsAll: ["hundredth"] }, "ADHOC_BF", 1],
      ["fewer than are wanted", { tagsAll: ["five"] }, "ADHOC_BF", 1],
      ["a common tag and a rare one", { tagsAny: ["five", "hundredth"] }, "ADHOC_BF", 1],
    ])("finds what a scan finds: %s", async (_name, given, policy, least) => {
      const filter = { ...EVERY_STATE, ...given };
      const passing = all.filter(
        ({ memory: one }) =>
          (filter.userId ?? one.userId) === one.userId &&
          (filter.tagsAll ?? []).every((tag) => one.tags.includes(tag)) &&
          (filter.tagsAny ?? one.tags).some((tag) => one.tags.includes(tag)),
      );
      let recalled = 0;
      let wanted = 0;
      for (const seed of [9001, 9002, 9003, 9004, 9005, 9006, 9007, 9008]) {
        const query = vectorOf(seed);
        const scan = passing
          .flatMap(({ memory: { id }, vector }) =>
            vector === undefined ? [] : [{ id, similarity: dot(query, vector) }],
          )
          .sort((a, b) => b.similarity - a.similarity)
          .slice(0, LIMIT);
        vectors.asked();
        const options = { vector: query, filter, limit: LIMIT };
        const { byVector: nearest, plan } = await search.search(
          { tenant: "t", namespace: "n" },
          options,
          NOW,
        );
        expect(nearest).toHaveLength(scan.length);
        const told = algorithm === "FLAT" ? "FLAT" : policy;
        expect(plan.vector).toMatchObject({ policy: told, candidates: told === "BATCHES" ? 64 : 0 });
        const { count = Number.NaN, basis } = plan.vector?.eligible ?? {};
        if (basis === "UPPER_BOUND") expect(count).toBeGreaterThanOrEqual(passing.length);
        else expect(count).toBe(passing.length);
        const similarities = nearest.map(({ similarity }) => similarity);
        expect(similarities).toEqual(similarities.toSorted((a, b) => b - a));
        for (const { id, similarity } of nearest) {
          expect(similarity).toBeCloseTo(dot(query, vectorOf(Number(id.slice(1)))), 5);
        }
        wanted += scan.length;
        recalled += scan.filter(({ id }) => nearest.some((one) => one.id === id)).length;
      }
      expect(recalled / wanted).toBeGreaterThanOrEqual(algorithm === "FLAT" ? 1 : least);
      const [[command] = []] = vectors.asked().slice(-1);
      expect(String(command?.[2])).toContain(`HYBRID_POLICY ${algorithm === "FLAT" ? "ADHOC_BF" : policy}`);
    });
  });
});
