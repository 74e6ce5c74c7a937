import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { batchLength, halves, shortened } from "./batches.ts";

const LIMITS = { maxTexts: 3, maxCharacters: 10 };

describe("batchLength", () => {
  it.each([
    [[], 0],
    [["a", "b"], 2],
    [["a", "b", "c", "d"], 3],
    [["aaaaa", "bbbbb", "c"], 2],
    [["a".repeat(50), "b"], 1],
    [["a", "b".repeat(50)], 1],
  ])("takes of %j the first %d", (texts, expected) => {
    expect(batchLength(texts, LIMITS)).toBe(expected);
  });

  it("is one at least, and within the limits", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 15 }), { minLength: 1 }), (texts) => {
        const taken = texts.slice(0, batchLength(texts, LIMITS));
        expect(taken.length).toBeGreaterThan(0);
        expect(taken.length).toBeLessThanOrEqual(LIMITS.maxTexts);
        expect(taken.length === 1 || taken.join("").length <= LIMITS.maxCharacters).toBe(true);
      }),
    );
  });
});

describe("halves", () => {
  it("contain all items in order, and are not empty", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(), { minLength: 2 }), (items) => {
        const [first, second] = halves(items);
        expect([...first, ...second]).toEqual(items);
        expect(Math.min(first.length, second.length)).toBeGreaterThan(0);
      }),
    );
  });
});

describe("shortened", () => {
  it("is a prefix, ends after a few steps, and never splits a character", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom("a", "🎉", "é"), maxLength: 3000 }), (text) => {
        let current = text;
        for (let step = 0; step < 20; step += 1) {
          const next = shortened(current);
          if (next === undefined) {
            expect(current.length).toBeLessThanOrEqual(256);
            return;
          }
          expect(next.length).toBeGreaterThan(0);
          expect(next.length).toBeLessThan(current.length);
          expect(text.startsWith(next)).toBe(true);
          expect(next.isWellFormed()).toBe(true);
          current = next;
        }
        expect.unreachable("it ends");
      }),
    );
  });
});
