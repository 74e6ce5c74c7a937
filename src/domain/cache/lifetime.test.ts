import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  confidenceAfter,
  isDue,
  JITTER,
  type LifetimeInput,
  lifetimeOf,
  MAX_CONFIDENCE,
  MIN_CONFIDENCE,
  REFRESH_FROM,
} from "./lifetime.ts";

const HOUR = 3_600_000;
const input: fc.Arbitrary<LifetimeInput> = fc.record({
  baseMs: fc.integer({ min: 1000, max: 30 * 24 * HOUR }),
  maxAgeMs: fc.integer({ min: 1000, max: 365 * 24 * HOUR }),
  volatility: fc.constantFrom("DAILY", "RECENT", "STABLE"),
  confidence: fc.double({ min: MIN_CONFIDENCE, max: MAX_CONFIDENCE, noNaN: true }),
  jitter: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
});

describe("lifetimeOf", () => {
  it("is base times volatility times confidence", () => {
    const plain = {
      baseMs: HOUR,
      maxAgeMs: 24 * HOUR,
      volatility: "STABLE",
      confidence: 1,
      jitter: 0,
    } as const;
    expect(lifetimeOf(plain)).toEqual({ expiresAfter: HOUR, dueAfter: 0.9 * HOUR });
    expect(lifetimeOf({ ...plain, volatility: "RECENT" }).expiresAfter).toBe(HOUR / 4);
    expect(lifetimeOf({ ...plain, volatility: "DAILY" }).expiresAfter).toBe(HOUR / 12);
    expect(lifetimeOf({ ...plain, volatility: "DAILY", baseMs: 24 * HOUR }).expiresAfter).toBe(HOUR / 12);
    expect(lifetimeOf({ ...plain, confidence: 1.5 }).expiresAfter).toBe(1.5 * HOUR);
    expect(lifetimeOf({ ...plain, confidence: 4, baseMs: 24 * HOUR }).expiresAfter).toBe(24 * HOUR);
    expect(lifetimeOf({ ...plain, jitter: 0.5 }).expiresAfter).toBe(0.95 * HOUR);
    expect(lifetimeOf({ ...plain, baseMs: 5000 })).toEqual({ expiresAfter: 5000 });
  });

  it("is never longer than the absolute bound, nor than the base without a confirmation", () => {
    fc.assert(
      fc.property(input, (given) => {
        const { expiresAfter } = lifetimeOf(given);
        expect(expiresAfter).toBeGreaterThanOrEqual(Math.min(1000, given.maxAgeMs));
        expect(expiresAfter).toBeLessThanOrEqual(given.maxAgeMs);
        expect(lifetimeOf({ ...given, confidence: 1 }).expiresAfter).toBeLessThanOrEqual(given.baseMs);
      }),
    );
  });

  it("grows with confidence and base, and is shorter the more volatile the prompt is", () => {
    fc.assert(
      fc.property(input, fc.double({ min: 1, max: 4, noNaN: true }), (given, factor) => {
        const { expiresAfter } = lifetimeOf(given);
        expect(
          lifetimeOf({ ...given, confidence: given.confidence * factor }).expiresAfter,
        ).toBeGreaterThanOrEqual(expiresAfter);
        const lives = (["DAILY", "RECENT", "STABLE"] as const).map(
          (volatility) => lifetimeOf({ ...given, volatility }).expiresAfter,
        );
        expect(lives).toEqual([...lives].sort((a, b) => a - b));
      }),
    );
  });

  it("spreads by a tenth at most, and is due in the last tenth of a life", () => {
    fc.assert(
      fc.property(input, (given) => {
        const { expiresAfter, dueAfter } = lifetimeOf(given);
        const without = lifetimeOf({ ...given, jitter: 0 }).expiresAfter;
        expect(expiresAfter).toBeLessThanOrEqual(without);
        expect(expiresAfter).toBeGreaterThanOrEqual(
          Math.floor(Math.max(1000, without * (1 - JITTER))) - 1000,
        );
        if (expiresAfter < 10_000) expect(dueAfter).toBeUndefined();
        else expect(dueAfter).toBe(Math.floor(expiresAfter * REFRESH_FROM));
      }),
    );
  });
});

describe("confidenceAfter", () => {
  const old = { response: "a", createTime: 1000, expireTime: 3000 };

  it("rises when the same answer comes after half of its life, and falls when another one comes", () => {
    expect(confidenceAfter(old, "a", 2000)).toBe(1.5);
    expect(confidenceAfter(old, "a", 1999)).toBe(1);
    expect(confidenceAfter(old, "b", 1001)).toBe(0.5);
    expect(confidenceAfter({ ...old, confidence: 2 }, "b", 1001)).toBe(1);
  });

  it("stays within its bounds", () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 30 }), (answers) => {
        let confidence = 1;
        for (const same of answers) {
          confidence = confidenceAfter({ ...old, confidence }, same ? "a" : "b", 3000);
          expect(confidence).toBeGreaterThanOrEqual(MIN_CONFIDENCE);
          expect(confidence).toBeLessThanOrEqual(MAX_CONFIDENCE);
        }
      }),
    );
  });
});

describe("isDue", () => {
  it("is from the due time on, and never without one", () => {
    expect([isDue({ dueTime: 5 }, 4), isDue({ dueTime: 5 }, 5), isDue({}, 5)]).toEqual([false, true, false]);
  });
});
