import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { clampSimilarity, dot, toUnit, vectorFromBytes, vectorToBytes } from "./vector.ts";

const finite = fc.float32Array({ minLength: 1, maxLength: 16, noNaN: true, noDefaultInfinity: true });

describe("toUnit", () => {
  it("returns a copy of length 1 in the same direction", () => {
    fc.assert(
      fc.property(finite, (vector) => {
        fc.pre(vector.some((value) => value !== 0));
        const before = vector.slice();
        const unit = toUnit(vector);
        if (unit === undefined) throw new Error("a finite vector that is not zero has a direction");
        expect(Math.sqrt(dot(unit, unit))).toBeCloseTo(1, 5);
        expect(dot(unit, vector)).toBeGreaterThan(0);
        expect(vector).toEqual(before);
        expect(unit.buffer).not.toBe(vector.buffer);
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  it.each([
    ["an empty vector", []],
    ["zeros", [0, -0, 0]],
    ["NaN", [1, Number.NaN]],
    ["infinity", [Number.POSITIVE_INFINITY, 1]],
    ["infinities that cancel out", [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]],
  ])("has no answer for %s", (_, values) => {
    expect(toUnit(Float32Array.from(values))).toBeUndefined();
  });

  it.each([
    ["largest", 3.4028234663852886e38],
    ["smallest", 1.401298464324817e-45],
  ])("copes with the %s float32 numbers", (_, value) => {
    expect(toUnit(Float32Array.from([value, 0]))).toEqual(Float32Array.from([1, 0]));
  });
});

describe("dot", () => {
  it("does not depend on the order of its vectors", () => {
    const pair = fc.nat({ max: 16 }).chain((length) => {
      const one = fc.float32Array({
        minLength: length,
        maxLength: length,
        noNaN: true,
        noDefaultInfinity: true,
      });
      return fc.tuple(one, one);
    });
    fc.assert(
      fc.property(pair, ([one, other]) => dot(one, other) === dot(other, one)),
      { seed: 1, numRuns: 200 },
    );
  });

  it("of unit vectors is their cosine", () => {
    expect(dot(Float32Array.of(1, 0), Float32Array.of(0, 1))).toBe(0);
    expect(dot(Float32Array.of(0.6, 0.8), Float32Array.of(-0.6, -0.8))).toBeCloseTo(-1, 6);
  });
});

describe("clampSimilarity", () => {
  it.each([
    [1.0000001, 1],
    [-1.0000001, -1],
    [0.25, 0.25],
    [-0.5, -0.5],
  ])("makes %d to %d", (value, clamped) => {
    expect(clampSimilarity(value)).toBe(clamped);
  });
});

describe("vectors as bytes", () => {
  it("are little-endian float32", () => {
    expect([...vectorToBytes(Float32Array.of(1, -2))]).toEqual([0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0]);
  });

  it("round-trip, bit by bit", () => {
    fc.assert(
      fc.property(fc.float32Array(), (vector) => {
        expect(vectorFromBytes(vectorToBytes(vector))).toEqual(vector);
      }),
      { seed: 1, numRuns: 200 },
    );
  });

  it("are those of the view, not of its whole buffer", () => {
    const vector = Float32Array.of(1, 2, 3, 4).subarray(1, 3);
    expect(vectorFromBytes(vectorToBytes(vector))).toEqual(Float32Array.of(2, 3));
  });

  it("are read from a view that is not aligned, and copied", () => {
    const buffer = new Uint8Array(9);
    buffer.set(vectorToBytes(Float32Array.of(1, 2)), 1);
    const vector = vectorFromBytes(buffer.subarray(1));
    buffer.fill(0);
    expect(vector).toEqual(Float32Array.of(1, 2));
  });
});
