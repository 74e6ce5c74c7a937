import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { countTerms } from "../../../../test/support/reference/count-terms.ts";
import { termsOf } from "../../../domain/text/terms.ts";
import { encodeTerm, encodeTerms, termCounter } from "./terms.ts";

describe("terms in the index", () => {
  it.each([
    ["ana", "ana"],
    ["2026", "2026"],
    ["or", "or"],
    ["müsli", "_6dc3bc736c69"],
    ["寿司", "_e5afbfe58fb8"],
    ["a".repeat(40), "a".repeat(40)],
  ])("%s is encoded as one token", (term, spelled) => {
    expect(encodeTerm(term)).toBe(spelled);
  });

  it("are short, whatever they stand for", () => {
    expect(encodeTerm("a".repeat(41))).toMatch(/^__[0-9a-f]{20}$/);
    expect(encodeTerm("寿".repeat(14))).toMatch(/^__[0-9a-f]{20}$/);
  });

  it("differ when the terms do", () => {
    const term = fc.oneof(fc.string({ minLength: 1 }), fc.string({ minLength: 30, unit: "grapheme" }));
    fc.assert(
      fc.property(term, term, (a, b) => {
        expect(encodeTerm(a) === encodeTerm(b)).toBe(a === b);
        expect(encodeTerm(a)).toMatch(/^[a-z0-9_]{1,81}$/);
      }),
    );
  });

  it("have the same counts in a document as the plain terms", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.string(), (text, query) => {
        const terms = termsOf(text);
        const asked = [...new Set([...terms.slice(0, 3), ...termsOf(query)])];
        expect(termCounter(asked)(encodeTerms(terms))).toEqual(countTerms(asked)(terms));
      }),
    );
  });
});
