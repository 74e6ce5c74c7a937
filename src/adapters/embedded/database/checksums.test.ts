import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RecollectError } from "../../../domain/errors.ts";
import { openRecord, openVector, sealRecord, sealVector } from "./checksums.ts";

function reasonOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof RecollectError) return error.reason;
    throw error;
  }
  return "none";
}

describe("what is sealed", () => {
  it("comes back as it was", () => {
    fc.assert(
      fc.property(fc.object(), fc.float32Array({ noNaN: true }), (value, vector) => {
        const json = JSON.parse(JSON.stringify(value)) as object;
        expect(openRecord(sealRecord(json), "it")).toEqual(json);
        expect(openVector(sealVector(vector), "it")).toEqual(vector);
      }),
      { seed: 1 },
    );
  });

  it("is refused when any character of a record has changed", () => {
    fc.assert(
      fc.property(
        fc.object(),
        fc.nat(),
        fc.string({ minLength: 1, maxLength: 1 }),
        (value, place, character) => {
          const sealed = sealRecord(value);
          const at = place % sealed.length;
          fc.pre(sealed[at]?.toLowerCase() !== character.toLowerCase());
          const changed = sealed.slice(0, at) + character + sealed.slice(at + 1);
          expect(reasonOf(() => openRecord(changed, "it"))).toBe("STORE_CORRUPT");
        },
      ),
      { seed: 1 },
    );
  });

  it("is refused when any bit of a vector has changed, or its end is missing", () => {
    fc.assert(
      fc.property(fc.float32Array({ minLength: 1 }), fc.nat(), fc.nat({ max: 7 }), (vector, place, bit) => {
        const sealed = sealVector(vector);
        const at = place % sealed.length;
        const changed = Uint8Array.from(sealed, (byte, index) => (index === at ? byte ^ (1 << bit) : byte));
        expect(reasonOf(() => openVector(changed, "it"))).toBe("STORE_CORRUPT");
        expect(reasonOf(() => openVector(sealed.subarray(0, at), "it"))).toBe("STORE_CORRUPT");
      }),
      { seed: 1 },
    );
  });
});
