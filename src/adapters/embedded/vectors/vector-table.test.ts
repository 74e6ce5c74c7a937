import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { dot, toUnit } from "../../../domain/embedding/vector.ts";
import { VectorTable } from "./vector-table.ts";

const DIMENSION = 24;
const NOW = 1000;
/** Above the size from which vectors are compared in 8 bits first. */
const MANY = 3000;

/** Numbers of very different size, so that those of some vectors are spread over few of the 8 bits. */
const vector = fc
  .array(fc.oneof(fc.integer({ min: -100, max: 100 }), fc.constantFrom(0, 0, 10_000)), {
    minLength: DIMENSION,
    maxLength: DIMENSION,
  })
  .map((numbers) => toUnit(Float32Array.from(numbers)))
  .filter((unit) => unit !== undefined);

/** A table of `count` vectors, drawn from some: each is the mean of two of them. */
function tableOf(count: number, some: readonly Float32Array[]) {
  const table = new VectorTable<number>();
  const rows = Array.from({ length: count }, (_, row) => {
    const [a, b] = [some[row % some.length], some[(row * 7 + (row >> 4)) % some.length]];
    const mean = toUnit(Float32Array.from(a ?? [], (value, at) => 2 * value + (b?.[at] ?? 0)));
    return { row, vector: mean ?? a ?? new Float32Array(DIMENSION) };
  });
  for (const { row, vector } of rows) {
    table.put(row, vector, {
      isDefault: row % 11 !== 0,
      expireTime: row % 13 === 0 ? NOW : Infinity,
      fields: row,
    });
  }
  return { table, rows };
}

const visible = (row: number): boolean => row % 11 !== 0 && row % 13 !== 0;

function similarities(rows: readonly { readonly vector: Float32Array }[], query: Float32Array): number[] {
  return rows.map(({ vector }) => dot(vector, query)).sort((a, b) => b - a);
}

describe("a table of vectors", () => {
  it.each([100, MANY])("of %i finds the nearest that are visible, with their similarity", (count) => {
    fc.assert(
      fc.property(
        fc.array(vector, { minLength: 30, maxLength: 60 }),
        vector,
        fc.constantFrom(1, 3, 50),
        (some, query, limit) => {
          const { table, rows } = tableOf(count, some);
          const found = table.nearestDefault(query, limit, NOW);
          const exact = similarities(
            rows.filter(({ row }) => visible(row)),
            query,
          ).slice(0, limit);
          expect(found.map(({ similarity }) => similarity)).toHaveLength(exact.length);
          expect(found.every(({ row, fields }) => visible(row) && fields === row)).toBe(true);
          for (const [at, { similarity }] of found.entries())
            expect(similarity).toBeCloseTo(exact[at] ?? 2, 2);
        },
      ),
      { seed: 1, numRuns: count === MANY ? 20 : 100 },
    );
  });

  it("follows rows that are replaced and removed, in both precisions", () => {
    const axes = Array.from({ length: DIMENSION }, (_, axis) =>
      Float32Array.from({ length: DIMENSION }, (_, at) => (at === axis ? 1 : 0)),
    );
    const { table, rows } = tableOf(MANY, axes.slice(1));
    const query = axes[0] ?? new Float32Array(DIMENSION);
    const slot = { isDefault: true, expireTime: Infinity, fields: 0 };
    table.put(17, query, slot);
    table.put(MANY, query, slot);
    const nearest = (): number[] => table.nearestDefault(query, 2, NOW).map(({ row }) => row);
    expect(nearest().sort((a, b) => a - b)).toEqual([17, MANY]);
    // The last slot moves into the removed one.
    table.remove(3);
    expect(nearest().sort((a, b) => a - b)).toEqual([17, MANY]);
    table.remove(17);
    expect(nearest()[0]).toBe(MANY);
    expect(table.propose(query, 1)).toEqual([MANY]);
    expect(table.size).toBe(rows.length - 1);
  });
});
