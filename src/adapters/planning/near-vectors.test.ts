import { describe, expect, it } from "vitest";
import { seededRandom, unitVector } from "../../../test/support/builders.ts";
import { dot, toUnit } from "../../domain/embedding/vector.ts";
import { CoarseVectors } from "./near-vectors.ts";

const DIMENSION = 32;

/** Vectors of which every other one is near to the one before it. */
function twins(count: number): Float32Array[] {
  const random = seededRandom(7);
  const vectors: Float32Array[] = [];
  for (let at = 0; at < count; at += 1) {
    const before = vectors[at - 1];
    if (at % 2 === 0 || before === undefined) vectors.push(unitVector(at + 1, DIMENSION));
    else vectors.push(toUnit(before.map((value) => value + 0.05 * (random() - 0.5))) ?? before);
  }
  return vectors;
}

function nearOf(vectors: readonly Float32Array[], least: number) {
  const coarse = new CoarseVectors();
  for (const [position, vector] of vectors.entries()) coarse.add(position, vector);
  return coarse.near(least);
}

describe("CoarseVectors", () => {
  it("finds every near pair of a small set once, with its similarity", () => {
    const vectors = twins(300);
    const { pairs, nearest } = nearOf(vectors, 0.95);
    const expected: string[] = [];
    for (const [one, vector] of vectors.entries()) {
      for (let other = one + 1; other < vectors.length; other += 1) {
        if (dot(vector, vectors[other] ?? vector) >= 0.95) expected.push(`${one} ${other}`);
      }
    }
    const found = pairs.map(({ one, other }) => `${Math.min(one, other)} ${Math.max(one, other)}`);
    expect(found.toSorted()).toEqual(expected.toSorted());
    for (const { one, other, similarity } of pairs) {
      const exact = dot(vectors[one] ?? new Float32Array(0), vectors[other] ?? new Float32Array(0));
      expect(Math.abs(similarity - exact)).toBeLessThan(0.01);
    }
    expect(nearest).toHaveLength(300);
  });

  it("finds nearly all of a large set, in cells", () => {
    const { pairs } = nearOf(twins(6000), 0.95);
    const found = new Set(pairs.map(({ one, other }) => Math.min(one, other)));
    const expected = Array.from({ length: 3000 }, (_, index) => 2 * index);
    const missed = expected.filter((one) => !found.has(one));
    expect(missed.length).toBeLessThan(30);
  });

  it("takes as long for copies of one vector as for others", () => {
    const one = unitVector(1, DIMENSION);
    const { pairs } = nearOf(
      Array.from({ length: 5000 }, () => one),
      0.99,
    );
    expect(pairs.length).toBeGreaterThan(5000);
  });

  it("finds nothing in one vector, and leaves out vectors of another dimension", () => {
    expect(nearOf([unitVector(1, DIMENSION)], 0.5)).toEqual({ pairs: [], nearest: [] });
    const mixed = [unitVector(1, DIMENSION), unitVector(1, 2 * DIMENSION), unitVector(1, DIMENSION)];
    expect(nearOf(mixed, 0.5).pairs).toMatchObject([{ one: 0, other: 2 }]);
  });
});
