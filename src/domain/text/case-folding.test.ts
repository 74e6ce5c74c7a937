import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { foldCase } from "./case-folding.ts";

describe("foldCase", () => {
  it.each([
    ["straße", "STRASSE"],
    ["STRAẞE", "strasse"],
    ["ὈΔΥΣΣΕΎΣ", "ὀδυσσεύς"],
    ["ὀδυσσεύς", "ὀδυσσεύσ"],
    ["İzmir", "i\u0307zmir"],
    ["ﬁne", "FINE"],
    ["ſo", "SO"],
    ["ŉ", "ʼN"],
    ["ᾳ", "ΑΙ"],
    ["µ", "Μ"],
    ["ДОМ", "дом"],
    ["Ꭰ", "ꭰ"],
  ])("makes %s and %s equal", (one, other) => {
    expect(foldCase(one)).toBe(foldCase(other));
  });

  it.each([
    ["ı", "i"],
    ["kır", "KIR"],
    ["İ", "I"],
    ["é", "e"],
    ["²", "2"],
  ])("keeps %s and %s apart", (one, other) => {
    expect(foldCase(one)).not.toBe(foldCase(other));
  });

  it("is idempotent, and folds each letter as its capital, except the dotless i", () => {
    const unit = fc.oneof(
      fc.integer({ min: 0, max: 0xff }),
      fc.integer({ min: 0x100, max: 0x24ff }),
      fc.integer({ min: 0xa640, max: 0xabff }),
      fc.integer({ min: 0x10400, max: 0x1e943 }),
    );
    const text = fc.array(unit).map((points) => String.fromCodePoint(...points));
    fc.assert(
      fc.property(text, (given) => {
        const folded = foldCase(given);
        expect(foldCase(folded)).toBe(folded);
        const dotted = given.replaceAll("ı", "i");
        expect(foldCase(dotted.toUpperCase())).toBe(foldCase(dotted));
        expect(foldCase(given.toLowerCase())).toBe(folded);
      }),
    );
  });
});
