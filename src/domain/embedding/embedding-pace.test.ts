import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  FIRST_PACE,
  MAX_BATCH_TEXTS,
  paceAfterFailure,
  paceAfterSuccess,
  pauseAfter,
  postponeDelay,
  shouldGiveUp,
} from "./embedding-pace.ts";

const random = fc.double({ min: 0, max: 0.999, noNaN: true });

describe("the pace", () => {
  it("falls to one text at the first failure, and doubles with each success", () => {
    const failed = paceAfterFailure(paceAfterFailure(FIRST_PACE));
    expect(failed).toEqual({ failures: 2, batchSize: 1 });
    expect(paceAfterSuccess(failed)).toEqual({ failures: 0, batchSize: 2 });
    const sizes = Array.from({ length: 8 }).reduce<number[]>(
      (all) => [...all, paceAfterSuccess({ failures: 0, batchSize: all.at(-1) ?? 1 }).batchSize],
      [1],
    );
    expect(sizes.slice(0, 4)).toEqual([1, 2, 4, 8]);
    expect(sizes.at(-1)).toBe(MAX_BATCH_TEXTS);
  });
});

describe("a text that was postponed again and again", () => {
  it("is given up after ten times, when the text may cause the failure", () => {
    const kinds = ["SERVER_ERROR", "MALFORMED", "TIMEOUT"] as const;
    for (const kind of kinds) expect([shouldGiveUp(9, kind), shouldGiveUp(10, kind)]).toEqual([false, true]);
    const others = ["CONNECTION", "RATE_LIMITED", "KEY_REFUSED", "MISCONFIGURED", "BREAKER_OPEN"] as const;
    for (const kind of [...others, undefined]) expect(shouldGiveUp(1000, kind)).toBe(false);
  });
});

describe("a pause", () => {
  it("doubles with each failure, half of it at random, from a second to a minute", () => {
    expect([1, 2, 3, 4].map((failures) => pauseAfter(failures, 0, 0))).toEqual([500, 1000, 2000, 4000]);
    expect(pauseAfter(1, 0, 0.5)).toBe(750);
    expect(pauseAfter(1000, 0, 0.999)).toBeLessThan(60_000);
  });

  it("respects Retry-After, up to a minute", () => {
    expect(pauseAfter(1, 20_000, 0)).toBe(20_000);
    expect(pauseAfter(1, 3_600_000, 0)).toBe(60_000);
  });

  it("is always half a second to a minute", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1 }), fc.nat(), random, (failures, retryAfterMs, chance) => {
        const pause = pauseAfter(failures, retryAfterMs, chance);
        expect(pause).toBeGreaterThanOrEqual(500);
        expect(pause).toBeLessThanOrEqual(60_000);
      }),
    );
  });
});

describe("the delay of a postponed text", () => {
  it("grows each time, from seconds to an hour", () => {
    fc.assert(
      fc.property(fc.nat(100), random, (attempts, chance) => {
        expect(postponeDelay(attempts + 1, chance)).toBeGreaterThanOrEqual(postponeDelay(attempts, chance));
        expect(postponeDelay(attempts, chance)).toBeGreaterThanOrEqual(2500);
        expect(postponeDelay(attempts, chance)).toBeLessThanOrEqual(3_600_000);
      }),
    );
  });
});
