import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isPatient, laneOf, longestWaitMs, retryAfterMs, weightOfLane } from "./overload-policy.ts";
import { EstimateCorrection, ServiceTimes } from "./service-times.ts";

describe("how long a call may wait", () => {
  it("leaves time for its work, and keeps nobody who waits for longer than half a second", () => {
    expect(longestWaitMs(400)).toBe(200);
    expect(longestWaitMs(2000)).toBe(500);
    expect(longestWaitMs(10_000)).toBe(500);
    expect(longestWaitMs(Number.POSITIVE_INFINITY)).toBe(5000);
    expect(longestWaitMs(-1)).toBe(0);
  });

  it("is less than it has, and no less for one that has more", () => {
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

  it("takes a call for patient that has more than ten seconds, or no deadline", () => {
    expect([9_999, 10_001, Number.POSITIVE_INFINITY].map(isPatient)).toEqual([false, true, true]);
  });
});

describe("the lane of a call", () => {
  it("is its own for lookups, and else goes by its deadline", () => {
    expect(laneOf(true, 800)).toBe("LOOKUP");
    expect(laneOf(false, 2000)).toBe("PROMPT");
    expect(laneOf(false, Number.POSITIVE_INFINITY)).toBe("PATIENT");
  });

  it("gives most of the time to calls that somebody waits for, and some to the others", () => {
    expect(weightOfLane("PROMPT")).toBe(3);
    expect([weightOfLane("LOOKUP"), weightOfLane("PATIENT")]).toEqual([1, 1]);
  });
});

describe("when a refused caller should come back", () => {
  it("is when the wait is over, within bounds", () => {
    expect([0, 50, 1234.5, 1e9].map(retryAfterMs)).toEqual([100, 100, 1235, 10_000]);
  });
});

describe("the mean time of a kind of work", () => {
  it("is a guess at first, then the first observation, and follows what comes", () => {
    const times = new ServiceTimes<"A" | "B">();
    expect(times.meanMs("A")).toBe(2);
    times.observe("A", 10);
    expect(times.meanMs("A")).toBe(10);
    expect(times.meanMs("B")).toBe(2);
    for (let at = 0; at < 100; at += 1) times.observe("A", 4);
    expect(times.meanMs("A")).toBeCloseTo(4, 1);
  });

  it("is guessed only as long as nothing has been observed", () => {
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
  it("follows how much longer waits really are", () => {
    const correction = new EstimateCorrection();
    expect(correction.factor).toBe(1);
    for (let at = 0; at < 300; at += 1) correction.observe(100, 300);
    expect(correction.factor).toBeCloseTo(3, 1);
    for (let at = 0; at < 300; at += 1) correction.observe(100, 100);
    expect(correction.factor).toBeCloseTo(1, 1);
  });

  it("is forgotten while nothing waits", () => {
    const correction = new EstimateCorrection();
    for (let at = 0; at < 300; at += 1) correction.observe(100, 800);
    expect(correction.factor).toBeGreaterThan(7);
    for (let at = 0; at < 300; at += 1) correction.relax();
    expect(correction.factor).toBeCloseTo(1, 2);
  });

  it("learns nothing from short waits, and is bounded", () => {
    const correction = new EstimateCorrection();
    for (let at = 0; at < 300; at += 1) correction.observe(1, 1000);
    expect(correction.factor).toBe(1);
    for (let at = 0; at < 300; at += 1) correction.observe(20, 1e9);
    expect(correction.factor).toBeLessThanOrEqual(8);
    for (let at = 0; at < 300; at += 1) correction.observe(1e9, 0);
    expect(correction.factor).toBeGreaterThanOrEqual(0.25);
  });
});
