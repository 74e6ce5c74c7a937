import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Candidate, HYBRID_VECTOR_WEIGHT, MAX_BOOST, type RankingOptions, rank } from "./ranking.ts";

const NOW = 2_000_000_000_000;
const DAY_MS = 24 * 3600 * 1000;
const PLAIN: RankingOptions = { mode: "HYBRID", recencyWeight: 0, importanceWeight: 0, now: NOW };

// Scores are multiples of powers of two, so that scaling them does not round and ties are ties.
const similarity = fc.integer({ min: -64, max: 64 }).map((value) => value / 64);
const bm25 = fc.integer({ min: 0, max: 256 }).map((value) => value / 16);
const candidate = fc.record(
  {
    id: fc.string({ minLength: 1, maxLength: 4 }),
    similarity,
    bm25,
    time: fc.integer({ min: -10, max: 400 }).map((days) => NOW - days * DAY_MS),
    importance: fc.constantFrom(0, 0.25, 0.5, 0.75, 1),
  },
  { requiredKeys: ["id", "time", "importance"] },
);
const candidates = fc.uniqueArray(candidate, { selector: ({ id }) => id, minLength: 1, maxLength: 12 });
const share = fc.constantFrom(0, 0.3, 1);
const options: fc.Arbitrary<RankingOptions> = fc.record({
  mode: fc.constantFrom("HYBRID", "VECTOR", "KEYWORD"),
  recencyWeight: share,
  importanceWeight: share,
  now: fc.constant(NOW),
});
const permuted = candidates.chain((some) =>
  fc.tuple(fc.constant(some), fc.shuffledSubarray(some, { minLength: some.length, maxLength: some.length })),
);

const idsOf = (some: readonly Candidate[], how: RankingOptions): string[] =>
  rank(some, how).map((ranked) => ranked.candidate.id);

function plain(id: string, fields: Partial<Candidate> = {}): Candidate {
  return { id, time: NOW, importance: 0.5, ...fields };
}

describe("rank", () => {
  it("keeps every candidate, once", () => {
    fc.assert(
      fc.property(candidates, options, (some, how) => {
        expect(idsOf(some, how).sort()).toEqual(some.map(({ id }) => id).sort());
      }),
      { seed: 1, numRuns: 200 },
    );
  });

  it("orders by score, then newest first, then by id", () => {
    fc.assert(
      fc.property(candidates, options, (some, how) => {
        const ranked = rank(some, how);
        for (const [index, next] of ranked.slice(1).entries()) {
          const one = ranked[index];
          if (one === undefined) throw new Error("there is one before each next");
          const before =
            one.score > next.score ||
            (one.score === next.score &&
              (one.candidate.time > next.candidate.time ||
                (one.candidate.time === next.candidate.time && one.candidate.id < next.candidate.id)));
          expect(before).toBe(true);
        }
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  it("does not depend on the order of the candidates", () => {
    fc.assert(
      fc.property(permuted, options, ([some, shuffled], how) => {
        expect(rank(shuffled, how)).toEqual(rank(some, how));
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  it.each(["similarity", "bm25"] as const)("never lowers a candidate whose %s rises", (arm) => {
    fc.assert(
      fc.property(candidates, options, fc.nat(), fc.integer({ min: 1, max: 64 }), (some, how, at, rise) => {
        const chosen = some[at % some.length];
        const before = chosen?.[arm];
        fc.pre(chosen !== undefined && before !== undefined);
        const raised = { ...chosen, [arm]: (before ?? 0) + rise / 64 };
        const place = (all: readonly Candidate[]): number => idsOf(all, how).indexOf(raised.id);
        expect(place(some.map((one) => (one === chosen ? raised : one)))).toBeLessThanOrEqual(place(some));
      }),
      { seed: 1, numRuns: 1000 },
    );
  });

  it("never lets boosts carry a candidate past one whose fused score is more than 1.44 times as high", () => {
    fc.assert(
      fc.property(candidates, options, (some, how) => {
        const ranked = rank(some, how);
        for (const [index, higher] of ranked.entries()) {
          for (const lower of ranked.slice(index + 1)) {
            expect(lower.fusedScore).toBeLessThanOrEqual(
              higher.fusedScore * (1 + MAX_BOOST) ** 2 * (1 + 1e-12),
            );
          }
        }
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  it("gives each boost its bounds, and no boost without a weight", () => {
    fc.assert(
      fc.property(candidates, options, (some, how) => {
        for (const { score, fusedScore, recencyBoost, importanceBoost } of rank(some, how)) {
          expect(recencyBoost).toBeGreaterThanOrEqual(1);
          expect(recencyBoost).toBeLessThanOrEqual(1 + MAX_BOOST * how.recencyWeight);
          expect(importanceBoost).toBeGreaterThanOrEqual(1);
          expect(importanceBoost).toBeLessThanOrEqual(1 + MAX_BOOST * how.importanceWeight);
          expect(score).toBeCloseTo(fusedScore * recencyBoost * importanceBoost, 12);
        }
        for (const { score, fusedScore } of rank(some, { ...how, recencyWeight: 0, importanceWeight: 0 })) {
          expect(score).toBe(fusedScore);
        }
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  it.each([
    ["VECTOR", "bm25"],
    ["KEYWORD", "similarity"],
  ] as const)("in mode %s ignores %s", (mode, ignored) => {
    fc.assert(
      fc.property(candidates, options, (some, how) => {
        const without = some.map(({ [ignored]: _, ...rest }) => rest);
        const scores = (all: readonly Candidate[]): [string, number][] =>
          rank(all, { ...how, mode }).map((ranked) => [ranked.candidate.id, ranked.score]);
        expect(scores(some)).toEqual(scores(without));
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  it("keeps scores without boosts between 0 and 1", () => {
    fc.assert(
      fc.property(candidates, (some) =>
        rank(some, PLAIN).every(({ score }) => score >= 0 && score <= 1 + Number.EPSILON),
      ),
      { seed: 1, numRuns: 200 },
    );
  });

  it("explains each score by its parts", () => {
    const some = [
      plain("a", { similarity: 0.75, bm25: 2 }),
      plain("b", { similarity: 0.25 }),
      plain("c", { similarity: 0.5, bm25: 4 }),
    ];
    const [first, second, third] = rank(some, PLAIN);
    expect(first).toMatchObject({ candidate: { id: "c" }, vectorRank: 2, keywordRank: 1, keywordScore: 1 });
    expect(second).toMatchObject({ candidate: { id: "a" }, vectorRank: 1, keywordRank: 2, vectorScore: 1 });
    expect(third).toMatchObject({ candidate: { id: "b" }, vectorRank: 3, keywordRank: 0, keywordScore: 0 });
    expect(first?.fusedScore).toBeCloseTo(HYBRID_VECTOR_WEIGHT * 0.525 + (1 - HYBRID_VECTOR_WEIGHT), 12);
  });

  it("gives what a retriever found last more than what it did not find", () => {
    const some = [plain("a", { similarity: 0.9 }), plain("z", { similarity: -1 }), plain("b")];
    expect(idsOf(some, { ...PLAIN, mode: "VECTOR" })).toEqual(["a", "z", "b"]);
  });

  it("prefers the newer of two equal matches by half the boost a half-life later", () => {
    const some = [plain("new", { bm25: 1 }), plain("old", { bm25: 1, time: NOW - 30 * DAY_MS })];
    const [first, second] = rank(some, { ...PLAIN, recencyWeight: 1 });
    expect(first).toMatchObject({ candidate: { id: "new" }, recencyBoost: 1 + MAX_BOOST });
    expect(second?.recencyBoost).toBeCloseTo(1 + MAX_BOOST / 2, 12);
  });

  it("takes a time in the future for now", () => {
    const [ranked] = rank([plain("a", { bm25: 1, time: NOW + DAY_MS })], { ...PLAIN, recencyWeight: 1 });
    expect(ranked?.recencyBoost).toBe(1 + MAX_BOOST);
  });

  it("has nothing to say about nothing", () => {
    expect(rank([], PLAIN)).toEqual([]);
  });
});
