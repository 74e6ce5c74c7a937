import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  answerCost,
  type EvictionPolicy,
  excessEntries,
  isAdmitted,
  keepScore,
  lostAgainst,
  MAX_USES,
  rememberedIds,
  ruleOf,
  SCORE_ORDERS,
  type ScoredEntry,
  scoreRule,
  usedAgain,
  worthOf,
} from "./eviction.ts";

const RUNS = { seed: 1, numRuns: 500 };

const time = fc.integer({ min: 0, max: 4_000_000_000_000 });
const scored: fc.Arbitrary<ScoredEntry> = fc.record({
  uses: fc.integer({ min: 1, max: MAX_USES }),
  lastUseTime: time,
  cost: fc.double({ min: 1e-9, max: 1000, noNaN: true }),
  createTime: time,
  expireTime: time,
  bytes: fc.integer({ min: 1, max: 2_000_000 }),
});
const clock = fc.double({ min: 0, max: 1e6, noNaN: true });
const policy = fc.constantFrom<EvictionPolicy[]>("ADAPTIVE", "LRU", "LFU", "FIFO", "TTL");

/** The policies that one field of an entry decides, with that field. */
const BY_FIELD = [
  ["LRU", ({ lastUseTime }: ScoredEntry) => [lastUseTime]],
  ["FIFO", ({ createTime }: ScoredEntry) => [createTime]],
  ["TTL", ({ expireTime }: ScoredEntry) => [expireTime]],
  ["LFU", ({ uses, lastUseTime }: ScoredEntry) => [uses, lastUseTime]],
] as const;

function compare(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((value, index) => value !== b[index]);
  return at < 0 ? 0 : Math.sign((a[at] ?? 0) - (b[at] ?? 0));
}

describe("keepScore", () => {
  it.each(BY_FIELD)(
    "of %s orders entries by the fields of the policy, whatever the clock",
    (name, fieldsOf) => {
      fc.assert(
        fc.property(scored, scored, clock, (one, other, at) => {
          const rule = scoreRule(name, true);
          const order = Math.sign(keepScore(rule, one, at) - keepScore(rule, other, 0));
          expect(order).toBe(compare(fieldsOf(one), fieldsOf(other)));
        }),
        RUNS,
      );
    },
  );

  it("of ADAPTIVE is the clock and uses times cost, with a bound on bytes for each byte", () => {
    fc.assert(
      fc.property(scored, clock, (one, at) => {
        expect(keepScore(scoreRule("ADAPTIVE", false), one, at)).toBe(at + one.uses * one.cost);
        expect(keepScore(scoreRule("ADAPTIVE", true), one, at)).toBe(at + (one.uses * one.cost) / one.bytes);
      }),
      RUNS,
    );
  });

  it("of ADAPTIVE lets any entry that is used no more fall behind any that is stored later", () => {
    fc.assert(
      fc.property(scored, scored, fc.boolean(), (old, later, isByteBound) => {
        const rule = scoreRule("ADAPTIVE", isByteBound);
        // The clock has passed the score of the old one when that was evicted.
        const score = keepScore(rule, old, 0);
        expect(keepScore(rule, later, score)).toBeGreaterThanOrEqual(score);
      }),
      RUNS,
    );
  });

  it("never falls when an entry is used", () => {
    fc.assert(
      fc.property(policy, fc.boolean(), scored, time, clock, (name, isByteBound, one, now, at) => {
        const rule = scoreRule(name, isByteBound);
        expect(keepScore(rule, usedAgain(one, 3, now), at)).toBeGreaterThanOrEqual(keepScore(rule, one, at));
      }),
      RUNS,
    );
  });

  it("has a rule of its own for each policy and bound, found by its order", () => {
    const names: EvictionPolicy[] = ["LRU", "LFU", "FIFO", "TTL", "ADAPTIVE"];
    const orders = [...names.map((name) => scoreRule(name, false)), scoreRule("ADAPTIVE", true)];
    expect(orders.map(({ order }) => order)).toEqual(SCORE_ORDERS);
    for (const rule of orders) expect(ruleOf(rule.order)).toBe(rule);
    expect(scoreRule("LFU", true)).toBe(scoreRule("LFU", false));
  });
});

describe("usedAgain", () => {
  it("counts up to the bound, and takes a late count for no earlier use", () => {
    fc.assert(
      fc.property(scored, fc.integer({ min: 1, max: 5000 }), time, (one, count, now) => {
        const used = usedAgain(one, count, now);
        expect(used.uses).toBe(Math.min(MAX_USES, one.uses + count));
        expect(used.lastUseTime).toBe(Math.max(one.lastUseTime, now));
      }),
      RUNS,
    );
  });
});

describe("admission", () => {
  it("lets everything in by a policy that does not weigh", () => {
    fc.assert(
      fc.property(scored, scored, fc.constantFrom("LRU", "LFU", "FIFO", "TTL"), (one, other, name) => {
        expect(isAdmitted(scoreRule(name, true), one, other)).toBe(true);
      }),
      RUNS,
    );
  });

  it("lets in what is worth at least as much as the lowest", () => {
    fc.assert(
      fc.property(scored, scored, fc.boolean(), (one, other, isByteBound) => {
        const rule = scoreRule("ADAPTIVE", isByteBound);
        expect(isAdmitted(rule, one, one)).toBe(true);
        expect(isAdmitted(rule, one, other)).toBe(worthOf(rule, one) >= worthOf(rule, other));
      }),
      RUNS,
    );
  });

  it("lets in every entry that comes often enough: at the latest when the stored one has lost all its worth", () => {
    fc.assert(
      fc.property(scored, scored, (one, other) => {
        const rule = scoreRule("ADAPTIVE", false);
        let [candidate, lowest, tries] = [one, other, 0];
        while (!isAdmitted(rule, candidate, lowest)) {
          candidate = usedAgain(candidate, 1, 0);
          lowest = lostAgainst(lowest);
          tries += 1;
        }
        // Worths differ by 2047 * 1e12 at most, which 51 halvings undo.
        expect(tries).toBeLessThanOrEqual(51);
      }),
      RUNS,
    );
  });

  it("remembers as many ids as the namespace may hold, and some in a small one", () => {
    expect([rememberedIds(1), rememberedIds(64), rememberedIds(10_000)]).toEqual([64, 64, 10_000]);
  });
});

describe("answerCost", () => {
  const texts = { prompt: "p".repeat(400), response: "r".repeat(800) };
  const usage = { promptTokens: 0, completionTokens: 0, generationMs: 0, costUsd: 0 };

  it("takes the first number of the usage that is above 0", () => {
    const full = { promptTokens: 1000, completionTokens: 500, generationMs: 3000, costUsd: 0.02 };
    expect(answerCost({ ...texts, usage: full })).toBe(0.02);
    expect(answerCost({ ...texts, usage: { ...full, costUsd: 0 } })).toBeCloseTo(0.003, 12);
    expect(answerCost({ ...texts, usage: { ...usage, completionTokens: 500 } })).toBeCloseTo(0.002, 12);
    expect(answerCost({ ...texts, usage: { ...usage, generationMs: 3000 } })).toBeCloseTo(0.0006, 12);
  });

  it("counts a token for four bytes of the texts where there is no usage", () => {
    for (const given of [texts, { ...texts, usage }]) expect(answerCost(given)).toBeCloseTo(0.0009, 12);
    expect(answerCost({ prompt: "p", response: "🎉" })).toBeCloseTo(4.25e-6, 12);
  });

  it("has bounds, so that no entry stays for ever or weighs nothing", () => {
    expect(answerCost({ ...texts, usage: { ...usage, costUsd: 1e300 } })).toBe(1000);
    expect(answerCost({ ...texts, usage: { ...usage, costUsd: 1e-300 } })).toBe(1e-9);
  });
});

describe("excessEntries", () => {
  it("is the excess above the bound, and 0 below", () => {
    const count = fc.nat({ max: 1_000_000 });
    fc.assert(
      fc.property(count, count, (entries, maxEntries) => {
        const excess = excessEntries(entries, maxEntries);
        expect(excess).toBeGreaterThanOrEqual(0);
        expect(entries - excess).toBe(Math.min(entries, maxEntries));
      }),
      { seed: 1, numRuns: 200 },
    );
  });
});
