import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { excerpt, toLine } from "./excerpt.ts";

describe("excerpt", () => {
  it("keeps a short text, on one line", () => {
    expect(excerpt("  two\n\n lines\t", 20)).toBe("two lines");
  });

  it("ends a long text with an ellipsis", () => {
    expect(excerpt("one two three", 8)).toBe("one two…");
  });

  it("adds an ellipsis also when much white space hides the rest", () => {
    expect(excerpt(`a${" ".repeat(500)}b`, 10)).toBe("a…");
  });

  it("is never longer than `length`, and divides no character", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.integer({ min: 1, max: 20 }), (text, length) => {
        const line = excerpt(text, length);
        expect([...line].length).toBeLessThanOrEqual(length + 1);
        expect(line.isWellFormed()).toBe(true);
      }),
    );
  });
});

describe("toLine", () => {
  it("replaces control characters", () => {
    expect(toLine("a\u001b[31mred\u0007\r\u202eb")).toBe("a [31mred b");
  });
});
