import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LOCAL_MODEL } from "../embedding/built-in-models.ts";
import {
  type DuplicateThresholds,
  duplicateThresholds,
  MIN_DISTRIBUTION,
  refineThresholds,
} from "./thresholds.ts";

const MINILM = duplicateThresholds({ model: "sentence-transformers/all-MiniLM-L6-v2" });

describe("the thresholds of duplicates", () => {
  it("are known for known models alone", () => {
    expect(MINILM).toBeDefined();
    expect(MINILM).toBe(duplicateThresholds({ model: "all-minilm" }));
    expect(duplicateThresholds(LOCAL_MODEL)).toBeDefined();
    for (const model of ["", "toString", "text-embedding-9", "__proto__"])
      expect(duplicateThresholds({ model })).toBeUndefined();
    expect(duplicateThresholds(undefined)).toBeUndefined();
  });

  it("are raised by a dense namespace, never lowered, and not to 1", () => {
    const base = MINILM as DuplicateThresholds;
    const similarity = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(fc.array(similarity, { minLength: 1, maxLength: 40 }), (some) => {
        const nearest = Array.from({ length: MIN_DISTRIBUTION }, (_, at) => some[at % some.length] ?? 0);
        const refined = refineThresholds(base, nearest);
        for (const key of ["certain", "merge", "supersede", "topic"] as const) {
          expect(refined[key]).toBeGreaterThanOrEqual(base[key]);
          expect(refined[key]).toBeLessThan(1);
        }
        expect(refineThresholds(base, nearest.slice(1))).toBe(base);
      }),
      { numRuns: 30 },
    );
    const dense = refineThresholds(base, new Array<number>(MIN_DISTRIBUTION).fill(base.merge + 0.1));
    expect(dense.merge).toBeCloseTo(base.merge + 0.1);
    expect(refineThresholds(base, new Array<number>(MIN_DISTRIBUTION).fill(0.4))).toEqual(base);
  });
});
