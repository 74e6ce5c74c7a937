import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isPatient, laneOf, longestWaitMs, retryAfterMs, weightOfLane } from "./overload-policy.ts";
import { EstimateCorrection, ServiceTimes } from "./service-times.ts";

describe("the longest queueing delay of a call", () => {
  it("leaves time for its work, and is half a second at most for interactive calls", () => {
    expect(longestWaitMs(400)).toBe(200);
    expect(longestWaitMs(2000)).toBe(500);
    expect(longestWaitMs(10_000)).toBe(500);
    expect(longestWaitMs(Number.POSITIVE_INFINITY)).toBe(5000);
    expect(longestWaitMs(-1)).toBe(0);
  });

  it("is shorter than the time until the deadline, and grows with it", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.1, max: 1e6, noNaN: true }),
        fc.double({ min: 0, max: 1e6, noNaN: true }),
        (remaining, more) => {
          expect(longestWaitMs(remaining)).toBeLessThan(remaining);
          expect(longestWaitMs(remaining + more)).toBeGreaterThanOrEqual(longestWaitMs(remaining));
        },
      ),
    );
  });

  it("counts calls with more than ten seconds, or without a deadline, as patient", () => {
    expect([9_999, 10_001, Number.POSITIVE_INFINITY].map(isPatient)).toEqual([false, true, true]);
  });
});

describe("the lane of a call", () => {
  it("is LOOKUP for lookups, and depends on the deadline for other calls", () => {
    expect(laneOf(true, 800)).toBe("LOOKUP");
    expect(laneOf(false, 2000)).toBe("PROMPT");
    expect(laneOf(false, Number.POSITIVE_INFINITY)).toBe("PATIENT");
  });

  it("gives most of the time to interactive calls, and some to the others", () => {
    expect(weightOfLane("PROMPT")).toBe(3);
    expect([weightOfLane("LOOKUP"), weightOfLane("PATIENT")]).toEqual([1, 1]);
  });
});

describe("the retry delay of a refused caller", () => {
  it("is the queueing delay, within bounds", () => {
    expect([0, 50, 1234.5, 1e9].map(retryAfterMs)).toEqual([100, 100, 1235, 10_000]);
  });
});

describe("the mean time of a kind of work", () => {
  it("is a default at first, then the first observation, and follows later ones", () => {
    const times = new ServiceTimes<"A" | "B">();
    expect(times.meanMs("A")).toBe(2);
    times.observe("A", 10);
    expect(times.meanMs("A")).toBe(10);
    expect(times.meanMs("B")).toBe(2);
    for (let at = 0; at < 100; at += 1) times.observe("A", 4);
    expect(times.meanMs("A")).toBeCloseTo(4, 1);
  });

  it("is a guess only until the first observation", () => {
    const times = new ServiceTimes<"A">();
    times.guess("A", 8);
    expect(times.meanMs("A")).toBe(8);
    times.observe("A", 3);
    times.guess("A", 100);
    expect(times.meanMs("A")).toBe(3);
  });

  it("stays between the least and the most that were observed", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 1e4, noNaN: true }), { minLength: 1 }), (observed) => {
        const times = new ServiceTimes<"A">();
        for (const one of observed) times.observe("A", one);
        expect(times.meanMs("A")).toBeGreaterThanOrEqual(Math.min(...observed) - 1e-9);
        expect(times.meanMs("A")).toBeLessThanOrEqual(Math.max(0.01, ...observed) + 1e-9);
      }),
    );
  });
});

describe("the correction of estimates", () => {
  it("follows the ratio of real to estimated delays", () => {
    const correction = new EstimateCorrection();
    expect(correction.factor).toBe(1);
    for (let at = 0; at < 300; at += 1) correction.observe(100, 300);
    expect(correction.factor).toBeCloseTo(3, 1);
    for (let at = 0; at < 300; at += 1) correction.observe(100, 100);
    expect(correction.factor).toBeCloseTo(1, 1);
  });

  it("returns to 1 while the queue is empty", () => {
    const correction = new EstimateCorrection();
    for (let at = 0; at < 300; at += 1) correction.observe(100, 800);
    expect(correction.factor).toBeGreaterThan(7);
    for (let at = 0; at < 300; at += 1) correction.relax();
    expect(correction.factor).toBeCloseTo(1, 2);
  });

  it("ignores short delays, and is bounded", () => {
    const correction = new EstimateCorrection();
    for (let at = 0; at < 300; at += 1) correction.observe(1, 1000);
    expect(correction.factor).toBe(1);
    for (let at = 0; at < 300; at += 1) correction.observe(20, 1e9);
    expect(correction.factor).toBeLessThanOrEqual(8);
    for (let at = 0; at < 300; at += 1) correction.observe(1e9, 0);
    expect(correction.factor).toBeGreaterThanOrEqual(0.25);
  });
});
