import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { allFit, answerBytesOf, countFitting, type SizedAnswer } from "./answer-size.ts";

describe("countFitting", () => {
  it("counts the first items that fit, and one at least", () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ bytes: fc.nat(50), slack: fc.nat(20) }), { maxLength: 12 }),
        fc.array(fc.nat(30), { minLength: 13, maxLength: 13 }),
        fc.nat(300),
        (items, rests, maxBytes) => {
          const beside = (kept: number): number => rests[kept] ?? 0;
          const total = (kept: number): number =>
            items.slice(0, kept).reduce((sum, { bytes }) => sum + bytes, beside(kept));
          const answer: SizedAnswer<(typeof items)[number]> = {
            items,
            atMost: ({ bytes, slack }) => bytes + slack,
            bytesOf: ({ bytes }) => bytes,
            beside,
          };
          const kept = countFitting(answer, maxBytes);
          expect(allFit(answer, maxBytes)).toBe(total(items.length) <= maxBytes);
          expect(kept).toBeGreaterThanOrEqual(Math.min(1, items.length));
          expect(kept <= 1 || total(kept) <= maxBytes).toBe(true);
          for (let more = kept + 1; more <= items.length; more += 1)
            expect(total(more)).toBeGreaterThan(maxBytes);
        },
      ),
      { seed: 4, numRuns: 2000 },
    );
  });

  it("measures no item when the upper bounds fit, and only one item that does not fit", () => {
    let measured = 0;
    const items = Array.from({ length: 100 }, () => 10);
    const answer = {
      items,
      atMost: (bytes: number) => bytes + 1,
      bytesOf: (bytes: number) => {
        measured += 1;
        return bytes;
      },
      beside: () => 0,
    };
    expect(countFitting(answer, 1100)).toBe(100);
    expect(measured).toBe(0);
    expect(countFitting(answer, 1099)).toBe(100);
    measured = 0;
    expect(countFitting(answer, 55)).toBe(5);
    expect(measured).toBe(6);
  });
});

describe("answerBytesOf", () => {
  it("is the requested size, and the default for 0", () => {
    expect([answerBytesOf(0), answerBytesOf(0, 7), answerBytesOf(5, 7)]).toEqual([4 * 1024 * 1024, 7, 5]);
  });
});
