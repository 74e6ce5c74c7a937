import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RecollectError } from "../../../domain/errors.ts";
import { decodeRecord, decodeVector, encodeRecord, encodeVector } from "./checksums.ts";

function reasonOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof RecollectError) return error.reason;
    throw error;
  }
  return "none";
}

describe("stored data", () => {
  it("is decoded unchanged", () => {
    fc.assert(
      fc.property(fc.object(), fc.float32Array({ noNaN: true }), (value, vector) => {
        const json = JSON.parse(JSON.stringify(value)) as object;
        expect(decodeRecord(encodeRecord(json), "it")).toEqual(json);
        expect(decodeVector(encodeVector(vector), "it")).toEqual(vector);
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
          const stored = encodeRecord(value);
          const at = place % stored.length;
          fc.pre(stored[at]?.toLowerCase() !== character.toLowerCase());
          const changed = stored.slice(0, at) + character + stored.slice(at + 1);
          expect(reasonOf(() => decodeRecord(changed, "it"))).toBe("STORE_CORRUPT");
        },
      ),
      { seed: 1 },
    );
  });

  it("is refused when any bit of a vector has changed, or its end is missing", () => {
    fc.assert(
      fc.property(fc.float32Array({ minLength: 1 }), fc.nat(), fc.nat({ max: 7 }), (vector, place, bit) => {
        const stored = encodeVector(vector);
        const at = place % stored.length;
        const changed = Uint8Array.from(stored, (byte, index) => (index === at ? byte ^ (1 << bit) : byte));
        expect(reasonOf(() => decodeVector(changed, "it"))).toBe("STORE_CORRUPT");
        expect(reasonOf(() => decodeVector(stored.subarray(0, at), "it"))).toBe("STORE_CORRUPT");
      }),
      { seed: 1 },
    );
  });
});
