import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ENGLISH } from "../../../test/support/english.ts";
import { analyzePrompt } from "./analysis.ts";
import type { CacheEntry } from "./entry.ts";
import { guardPrompts } from "./guard.ts";
import { GUARD_STRICTNESS } from "./guard-strictness.ts";
import { decideSemantic, isTooOld, type MatchingPolicy, type Neighbour } from "./matching.ts";

const NOW = 10_000;
const POLICY: MatchingPolicy = {
  promptId: "p",
  threshold: 0.85,
  alignedThreshold: 0.5,
  strictness: "balanced",
};

const ASKED = "How do I reset a forgotten account password?";
/** All words align with those of ASKED. */
const ALIGNED = "how do i reset the forgotten account password";
/** The guard accepts it, but words are left over on both sides. */
const REWORDED = "Which steps recover lost login credentials?";
const AT_CLOSED = { strictness: "closed" } as const;
/** Only the strictness `balanced` and above refuse it. */
const DETAILED = "How do I reset a forgotten guest account password?";
/** The guard refuses it. */
const VETOED = "How do I reset 3 forgotten account passwords?";

function stored(prompt: string, similarity: number, createTime = NOW): Neighbour {
  const entry: CacheEntry = {
    id: prompt,
    fingerprint: "f",
    model: "m",
    knowledge: "",
    prompt,
    analysis: analyzePrompt(prompt),
    response: "r",
    tags: [],
    metadata: {},
    createTime,
    expireTime: NOW * 2,
    etag: "e",
  };
  return { entry, similarity };
}

const decide = (nearest: readonly Neighbour[], policy: Partial<MatchingPolicy> = {}) =>
  decideSemantic(nearest, { ...POLICY, ...policy }, NOW, ({ analysis }) =>
    guardPrompts(analyzePrompt(ASKED), analysis, ENGLISH),
  );

describe("the prompts of this test", () => {
  it.each([
    [ALIGNED, true, false],
    [REWORDED, false, false],
    [VETOED, false, true],
  ])("%s", (prompt, aligned, vetoed) => {
    const verdict = guardPrompts(analyzePrompt(ASKED), analyzePrompt(prompt), ENGLISH);
    expect([verdict.aligned, verdict.conflicts.length > 0]).toEqual([aligned, vetoed]);
  });
});

describe("decideSemantic", () => {
  it("misses without candidates", () => {
    expect(decide([])).toEqual({ kind: "miss", reason: "NOT_FOUND", threshold: 0.85, guardReasons: [] });
  });

  it.each([
    ["reworded prompt a little below the threshold", REWORDED, 0.83, {}, "hit"],
    ["reworded prompt below that", REWORDED, 0.82, {}, "BELOW_THRESHOLD"],
    ["prompt with a detail more, at the threshold", DETAILED, 0.85, AT_CLOSED, "hit"],
    ["prompt with a detail more, below it", DETAILED, 0.84, AT_CLOSED, "BELOW_THRESHOLD"],
    ["aligned prompt at the aligned threshold", ALIGNED, 0.5, {}, "hit"],
    ["aligned prompt below the aligned threshold", ALIGNED, 0.49, {}, "BELOW_THRESHOLD"],
    [
      "aligned prompt when both thresholds are equal",
      ALIGNED,
      0.84,
      { alignedThreshold: 0.85 },
      "BELOW_THRESHOLD",
    ],
    ["aligned prompt under the floor of the call", ALIGNED, 0.89, { floor: 0.9 }, "BELOW_THRESHOLD"],
    ["aligned prompt at the floor of the call", ALIGNED, 0.9, { floor: 0.9 }, "hit"],
    ["reworded prompt under the floor of the call", REWORDED, 0.89, { floor: 0.9 }, "BELOW_THRESHOLD"],
    [
      "reworded prompt over a floor that is too low to matter",
      REWORDED,
      0.82,
      { floor: 0.1 },
      "BELOW_THRESHOLD",
    ],
    ["other question, however near", VETOED, 1, {}, "GUARD"],
    ["other question below the threshold", VETOED, 0.2, {}, "BELOW_THRESHOLD"],
  ])("judges a %s", (_, prompt, similarity, policy, expected) => {
    const decision = decide([stored(prompt, similarity)], policy);
    expect(decision.kind === "hit" ? "hit" : decision.reason).toBe(expected);
  });

  it("returns the served entry and its threshold", () => {
    expect(decide([stored(ALIGNED, 0.6)])).toMatchObject({
      kind: "hit",
      entry: { id: ALIGNED },
      similarity: 0.6,
      threshold: 0.5,
    });
    expect(decide([stored(ALIGNED, 0.95)], { floor: 0.9 })).toMatchObject({ kind: "hit", threshold: 0.9 });
  });

  it("returns the nearest entry, and why it was not served", () => {
    expect(decide([stored(VETOED, 0.97)])).toEqual({
      kind: "miss",
      reason: "GUARD",
      nearestId: VETOED,
      nearestSimilarity: 0.97,
      threshold: 0.85,
      guardReasons: ["NUMBER"],
    });
  });

  it("misses when the guard refuses the nearest, even if the second would match", () => {
    expect(decide([stored(VETOED, 0.97), stored(ALIGNED, 0.96)])).toMatchObject({
      kind: "miss",
      reason: "GUARD",
    });
  });

  it("skips entries that are too old", () => {
    const nearest = [stored(VETOED, 0.97, NOW - 101), stored(ALIGNED, 0.96, NOW - 100)];
    expect(decide(nearest, { maxAgeMs: 100 })).toMatchObject({ kind: "hit", entry: { id: ALIGNED } });
  });

  it("misses with TOO_OLD when all are too old, and names the nearest", () => {
    const nearest = [stored(VETOED, 0.97, NOW - 102), stored(ALIGNED, 0.96, NOW - 101)];
    expect(decide(nearest, { maxAgeMs: 100, floor: 0.9 })).toEqual({
      kind: "miss",
      reason: "TOO_OLD",
      nearestId: VETOED,
      nearestSimilarity: 0.97,
      threshold: 0.9,
      guardReasons: ["NUMBER"],
    });
  });

  it("names all reasons of the guard also below the threshold", () => {
    const decision = decide([stored(VETOED, 0.1)]);
    expect(decision).toMatchObject({
      reason: "BELOW_THRESHOLD",
      nearestSimilarity: 0.1,
      guardReasons: ["NUMBER"],
    });
    expect(decide([stored(VETOED, 0.1)], { strictness: "off" })).toMatchObject({ guardReasons: [] });
    expect(decide([stored(REWORDED, 0.1)])).toMatchObject({ reason: "BELOW_THRESHOLD", guardReasons: [] });
  });

  it("never serves below the floor, with any thresholds", () => {
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    const prompt = fc.constantFrom(ASKED, ALIGNED, REWORDED, VETOED);
    fc.assert(
      fc.property(
        prompt,
        share,
        share,
        share,
        share,
        (one, similarity, threshold, alignedThreshold, floor) => {
          const decision = decide([stored(one, similarity)], { threshold, alignedThreshold, floor });
          if (decision.kind === "hit") expect(similarity).toBeGreaterThanOrEqual(floor);
          else if (one === ASKED) expect(similarity).toBeLessThan(Math.max(alignedThreshold, floor));
          expect(decision.threshold).toBeGreaterThanOrEqual(floor);
        },
      ),
      { seed: 1, numRuns: 500 },
    );
  });

  it("refuses for fewer reasons when it is looser", () => {
    const substituted = [stored("How do I reset a forgotten account nickname?", 0.97)];
    const outcomes = GUARD_STRICTNESS.map((strictness) => decide(substituted, { strictness }));
    expect(outcomes.map((outcome) => (outcome.kind === "hit" ? "hit" : outcome.guardReasons))).toEqual([
      "hit",
      "hit",
      ["SUBSTITUTION"],
      ["SUBSTITUTION"],
    ]);
    expect(decide([stored(VETOED, 0.97)], { strictness: "closed" })).toMatchObject({
      guardReasons: ["NUMBER"],
    });
    expect(decide([stored(VETOED, 0.97)], { strictness: "off" })).toMatchObject({ kind: "hit" });
  });

  it("never serves at a strictness what it refuses at a looser one", () => {
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(fc.constantFrom(ASKED, ALIGNED, REWORDED, VETOED), share, (one, similarity) => {
        const served = GUARD_STRICTNESS.map(
          (strictness) => decide([stored(one, similarity)], { strictness }).kind === "hit",
        );
        expect(served).toEqual([...served].sort((a, b) => Number(b) - Number(a)));
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  it("is monotonic in the similarity", () => {
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(fc.constantFrom(ALIGNED, REWORDED, VETOED), share, share, (one, low, high) => {
        fc.pre(low <= high);
        if (decide([stored(one, low)]).kind === "hit") expect(decide([stored(one, high)]).kind).toBe("hit");
        else expect(decide([stored(one, low)])).toMatchObject({ nearestId: one });
      }),
      { seed: 1, numRuns: 300 },
    );
  });
});

describe("isTooOld", () => {
  it("is true above the maximum age, not at it", () => {
    const policy = { ...POLICY, maxAgeMs: 100 };
    expect([99, 100, 101].map((age) => isTooOld({ createTime: NOW - age }, policy, NOW))).toEqual([
      false,
      false,
      true,
    ]);
  });

  it("is false without a maximum age", () => {
    expect(isTooOld({ createTime: 0 }, POLICY, Number.MAX_SAFE_INTEGER)).toBe(false);
  });
});
