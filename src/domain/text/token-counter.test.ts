import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { tokenCounter } from "./token-counter.ts";

describe("tokenCounter", () => {
  it("counts whole tokens", () => {
    const count = tokenCounter(["ab", "b", "c"]);
    expect(count("ab b abb ab bab")).toEqual({ counts: [2, 1, 0], length: 5 });
    expect(count("")).toEqual({ counts: [0, 0, 0], length: 0 });
  });

  it("counts as a list of tokens does", () => {
    const token = fc.string({ unit: fc.constantFrom("a", "b", "x"), minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(fc.array(token), fc.uniqueArray(token), (document, tokens) => {
        expect(tokenCounter(tokens)(document.join(" "))).toEqual({
          counts: tokens.map((one) => document.filter((other) => other === one).length),
          length: document.length,
        });
      }),
    );
  });
});
