import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { contentBytes, nextStep, type StepLimits } from "./batch-steps.ts";

/** Bytes of an item; undefined: refused. */
type Item = number | undefined;

const batches = fc.array(fc.option(fc.nat(120), { nil: undefined, freq: 4 }), { maxLength: 30 });
const limits = fc.record({ bytes: fc.integer({ min: 1, max: 200 }), bytesAMemory: fc.nat(40) });

function stepsOf(items: readonly Item[], given: StepLimits): Item[][] {
  const steps: Item[][] = [];
  for (let start = 0; start < items.length; ) {
    const step = nextStep(items, start, (item) => item, given);
    steps.push(step);
    start += step.length;
    // An empty step would cause an endless loop.
    expect(step.length).toBeGreaterThan(0);
  }
  return steps;
}

function costOf(step: readonly Item[], { bytesAMemory }: StepLimits): number {
  return step.reduce<number>((sum, item) => sum + (item === undefined ? 0 : item + bytesAMemory), 0);
}

describe("the steps of a batch", () => {
  it("are all of its items, in order", () => {
    fc.assert(
      fc.property(batches, limits, (items, given) => {
        expect(stepsOf(items, given).flat()).toEqual(items);
      }),
      { seed: 1, numRuns: 1000 },
    );
  });

  it("respect the limits, except for a memory that exceeds them alone", () => {
    fc.assert(
      fc.property(batches, limits, (items, given) => {
        for (const step of stepsOf(items, given)) {
          const memories = step.filter((item) => item !== undefined && item + given.bytesAMemory > 0);
          if (memories.length > 1) expect(costOf(step, given)).toBeLessThanOrEqual(given.bytes);
        }
      }),
      { seed: 2, numRuns: 1000 },
    );
  });

  it("are as few as possible: the first item of a step did not fit into the one before", () => {
    fc.assert(
      fc.property(batches, limits, (items, given) => {
        const steps = stepsOf(items, given);
        for (const [at, step] of steps.entries()) {
          const before = steps[at - 1];
          if (before !== undefined) {
            expect(costOf([...before, step[0]], given)).toBeGreaterThan(given.bytes);
          }
        }
      }),
      { seed: 3, numRuns: 1000 },
    );
  });

  it("are one for 200 short texts with an empty index, and one for refusals only", () => {
    const short = Array.from({ length: 200 }, () => 150);
    expect(stepsOf(short, { bytes: 64 * 1024, bytesAMemory: 128 })).toHaveLength(1);
    expect(stepsOf(Array.from({ length: 200 }), { bytes: 1, bytesAMemory: 9 })).toHaveLength(1);
    expect(nextStep([], 0, (item: Item) => item, { bytes: 1, bytesAMemory: 1 })).toEqual([]);
  });
});

describe("contentBytes", () => {
  const empty = { text: "", tags: [], metadata: {}, sourceIds: [] };

  it("counts a text in UTF-8", () => {
    expect(contentBytes({ ...empty, text: "é🎉" }) - contentBytes(empty)).toBe(6);
  });

  it.each([
    ["tags", { tags: ["a tag"] }],
    ["metadata", { metadata: { a: [1, 2, 3] } }],
    ["sources", { sourceIds: ["m1", "m2"] }],
  ])("counts %s", (_, given) => {
    expect(contentBytes({ ...empty, ...given })).toBeGreaterThan(contentBytes(empty));
  });
});
