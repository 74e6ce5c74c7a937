import { createHash } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { digest, digestInPieces } from "./digest.ts";

/** Texts that look like the lengths before the parts. */
const part = fc.string({ unit: fc.constantFrom("0", "1", "2", ":", "a", "é", "😀"), maxLength: 4 });
const parts = fc.array(part, { maxLength: 4 });

describe("digest", () => {
  it("is SHA-256 in hex over each part behind its length in bytes", () => {
    const expected = createHash("sha256").update("3:abc2:é0:").digest("hex");
    expect(digest("abc", "é", "")).toBe(expected);
    expect(expected).toMatch(/^[0-9a-f]{64}$/);
  });

  it("is equal exactly when all parts are", () => {
    fc.assert(
      fc.property(
        parts,
        parts,
        (one, other) => (digest(...one) === digest(...other)) === isDeepStrictEqual(one, other),
      ),
      { seed: 1, numRuns: 2000 },
    );
  });

  it("changes when a part boundary moves", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.nat(), fc.nat(), (text, one, other) => {
        const [left, right] = [one % (text.length + 1), other % (text.length + 1)];
        fc.pre(left !== right);
        return (
          digest(text.slice(0, left), text.slice(left)) !== digest(text.slice(0, right), text.slice(right))
        );
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  it("changes when an empty part is added", () => {
    fc.assert(
      fc.property(
        parts,
        (some) => digest(...some) !== digest(...some, "") && digest("", ...some) !== digest(...some),
      ),
      { seed: 1, numRuns: 200 },
    );
  });
});

describe("digestInPieces", () => {
  it("is the digest of the whole text, for any pieces", () => {
    fc.assert(
      fc.property(parts, (pieces) => digestInPieces(pieces) === digest(pieces.join(""))),
      { seed: 3, numRuns: 500 },
    );
  });
});
