import { existsSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { dot, toUnit } from "../../../domain/embedding/vector.ts";
import type { RankingFields } from "../../../ports/memory/search.ts";
import { VectorIndex } from "./vector-index.ts";
import { EXACT_LIMIT } from "./vector-plan.ts";
import type { Slot } from "./vector-table.ts";

const DIMENSION = 32;
const COUNT = EXACT_LIMIT + 1000;
const NOW = 1000;

/** Deterministic and evenly spread: mulberry32. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Unit vectors in clusters, as texts about some subjects are. */
function clustered(count: number): Float32Array[] {
  const next = random(7);
  const centres = Array.from({ length: 50 }, () =>
    Float32Array.from({ length: DIMENSION }, () => next() - 0.5),
  );
  return Array.from({ length: count }, (_, index) => {
    const centre = centres[index % centres.length] ?? new Float32Array(DIMENSION);
    return toUnit(centre.map((value) => value + (next() - 0.5) * 0.4)) ?? new Float32Array(DIMENSION);
  });
}

const VECTORS = clustered(COUNT);

function vectorAt(row: number): Float32Array {
  return VECTORS[row] ?? new Float32Array(DIMENSION);
}

function slot(row: number, more: Partial<Slot<RankingFields>> = {}): Slot<RankingFields> {
  return {
    isDefault: true,
    expireTime: Number.POSITIVE_INFINITY,
    fields: { id: `m${row}`, time: row, importance: 0.5 },
    ...more,
  };
}

function nearestByBruteForce(query: Float32Array, rows: Iterable<number>, limit: number): number[] {
  return [...rows]
    .map((row) => ({ row, similarity: dot(query, vectorAt(row)) }))
    .sort((a, b) => b.similarity - a.similarity)
    .slice(0, limit)
    .map(({ row }) => row);
}

function recall(found: readonly { readonly row: number }[], exact: readonly number[]): number {
  const wanted = new Set(exact);
  return found.filter(({ row }) => wanted.has(row)).length / exact.length;
}

describe("a vector index", () => {
  let directory = "";
  let warnings: string[] = [];
  const opened: VectorIndex[] = [];
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "recollect-vectors-"));
    warnings = [];
  });
  afterEach(async () => {
    for (const index of opened.splice(0)) index.close();
    await rm(directory, { recursive: true, force: true });
  });

  const path = (): string => join(directory, "1.usearch");

  function open(rows: Iterable<number>): VectorIndex {
    const log = { warn: (_: object, message: string) => void warnings.push(message) };
    const index = new VectorIndex({ dimension: DIMENSION, path: path(), log, graphAbove: EXACT_LIMIT });
    for (const row of rows) index.load(row, vectorAt(row), slot(row));
    index.finishLoading();
    opened.push(index);
    return index;
  }

  const allRows = Array.from({ length: COUNT }, (_, row) => row);

  it("finds nearly all of the nearest, with their exact similarity, in order", async () => {
    const index = open(allRows);
    await index.built();
    let total = 0;
    const queries = clustered(40);
    for (const query of queries) {
      const { found } = index.nearestDefault(query, 10, NOW);
      expect(found).toHaveLength(10);
      for (const [rank, { row, similarity }] of found.entries()) {
        expect(similarity).toBeCloseTo(dot(query, vectorAt(row)), 5);
        expect(similarity).toBeLessThanOrEqual(found[rank - 1]?.similarity ?? 1.001);
      }
      total += recall(found, nearestByBruteForce(query, allRows, 10));
    }
    expect(total / queries.length).toBeGreaterThan(0.98);

    const isEven = (row: number): boolean => row % 2 === 0;
    const query = vectorAt(17);
    const near = index.nearestOfMost(query, 10, (rows) => rows.filter(isEven));
    expect(near?.plan.policy).toBe("GRAPH");
    const exact = nearestByBruteForce(query, allRows.filter(isEven), 10);
    expect(recall(near?.found ?? [], exact)).toBeGreaterThan(0.8);
  });

  it("finds a vector at once, before it is in the graph", async () => {
    const index = open(allRows.slice(0, COUNT - 1));
    await index.built();
    const row = COUNT - 1;
    index.put(row, vectorAt(row), slot(row));
    expect(index.nearestDefault(vectorAt(row), 1, NOW).found[0]).toMatchObject({ row });
  });

  it("is exact while the graph is being built", () => {
    const index = open(allRows);
    const query = vectorAt(17);
    const { found } = index.nearestDefault(query, 20, NOW);
    expect(found.map(({ row }) => row)).toEqual(nearestByBruteForce(query, allRows, 20));
  });

  describe("for a filter that most pass", () => {
    const query = vectorAt(17);
    const find = (index: VectorIndex, passes: (row: number) => boolean) => {
      let tested = 0;
      const near = index.nearestOfMost(query, 10, (rows) => {
        tested += rows.length;
        return rows.filter(passes);
      });
      return { near, tested };
    };

    it("tests only the nearest, and finds those that pass", () => {
      const index = open(allRows);
      for (const share of [1, 2, 5]) {
        const passes = (row: number): boolean => row % share === 0;
        const { near, tested } = find(index, passes);
        const eligible = allRows.filter(passes);
        expect(near?.found.map(({ row }) => row)).toEqual(nearestByBruteForce(query, eligible, 10));
        expect(tested).toBeLessThan(300);
        expect(near?.plan).toMatchObject({
          policy: "EXACT",
          eligible: { count: COUNT, basis: "UPPER_BOUND" },
        });
        if (share === 1) expect(near?.rounds).toBe(1);
        expect(near?.rounds).toBeLessThanOrEqual(2);
      }
    });

    it("gives up where too few pass", () => {
      const index = open(allRows);
      expect(find(index, (row) => row % 100 === 0).near).toBeUndefined();
    });

    it("is complete in an index that it tests as a whole", () => {
      const some = allRows.slice(0, 30);
      const index = open(some);
      const { near } = find(index, (row) => row === 29);
      expect(near?.found.map(({ row }) => row)).toEqual([29]);
    });
  });

  it("reports its plan", async () => {
    const index = open(allRows);
    const eligible = { count: COUNT, basis: "UPPER_BOUND" };
    // With more pending vectors than MAX_PENDING, all vectors are compared.
    expect(index.nearestDefault(vectorAt(1), 10, NOW)).toMatchObject({
      plan: { policy: "EXACT", candidates: 0, eligible },
      rounds: 1,
    });
    await index.built();
    expect(index.nearestDefault(vectorAt(1), 10, NOW)).toMatchObject({
      plan: { policy: "GRAPH", candidates: 20, eligible },
      rounds: 1,
    });
    const few = allRows.filter((row) => row % 2 === 0);
    expect(index.nearestOf(few, vectorAt(1), 10).plan).toEqual({
      policy: "EXACT",
      candidates: 0,
      eligible: { count: few.length, basis: "COUNTED" },
    });
    // Too few proposals of the graph pass: all vectors are compared.
    for (const row of nearestByBruteForce(vectorAt(1), allRows, 20)) {
      index.remove(row);
      index.put(row, vectorAt(row), slot(row, { isDefault: false }));
    }
    await index.built();
    const hidden = index.nearestDefault(vectorAt(1), 10, NOW);
    expect([hidden.plan.policy, hidden.rounds, hidden.found.length]).toEqual(["EXACT", 2, 10]);
  });

  it("compares a small filtered set completely", async () => {
    const index = open(allRows);
    await index.built();
    const rows = allRows.filter((row) => row % 97 === 0);
    const query = vectorAt(1);
    const { found } = index.nearestOf(rows, query, 10);
    expect(found.map(({ row }) => row)).toEqual(nearestByBruteForce(query, rows, 10));
  });

  it("returns only rows of a large filtered set", async () => {
    const index = open(allRows);
    await index.built();
    const rows = allRows.filter((row) => row % 10 !== 0);
    const query = vectorAt(10);
    const { found } = index.nearestOf(rows, query, 10);
    expect(found.every(({ row }) => row % 10 !== 0)).toBe(true);
    expect(recall(found, nearestByBruteForce(query, rows, 10))).toBeGreaterThan(0.8);
  });

  it("leaves out what is removed, has expired, or is not for default reads", async () => {
    const index = open(allRows);
    await index.built();
    const query = vectorAt(5);
    index.remove(5);
    index.remove(6);
    index.put(6, vectorAt(5), slot(6, { expireTime: NOW }));
    index.put(COUNT + 1, vectorAt(5), slot(COUNT + 1, { isDefault: false }));
    const rows = index.nearestDefault(query, 100, NOW).found.map(({ row }) => row);
    expect(rows).toHaveLength(100);
    for (const hidden of [5, 6, COUNT + 1]) expect(rows).not.toContain(hidden);
  });

  it("is loaded from its file after it was closed, without a rebuild", async () => {
    const first = open(allRows);
    await first.built();
    first.close();
    const second = open(allRows);
    const before = second.nearestDefault(vectorAt(3), 10, NOW).found;
    await second.built();
    expect(warnings).toEqual([]);
    expect(before.map(({ row }) => row)).toEqual(
      second.nearestDefault(vectorAt(3), 10, NOW).found.map(({ row }) => row),
    );
  });

  it("follows rows that were added and deleted while the graph was closed", async () => {
    const first = open(allRows.slice(0, COUNT - 10));
    await first.built();
    first.close();
    const second = open(allRows.slice(10));
    await second.built();
    const query = vectorAt(COUNT - 1);
    expect(second.nearestDefault(query, 1, NOW).found[0]?.row).toBe(COUNT - 1);
    const rows = second.nearestDefault(vectorAt(0), 50, NOW).found.map(({ row }) => row);
    expect(rows.every((row) => row >= 10)).toBe(true);
  });

  it.each([
    ["torn", () => truncateSync(path(), 1000)],
    [
      "changed by a bit",
      () => {
        const content = readFileSync(path());
        const middle = Math.floor(content.length / 2);
        content[middle] = (content[middle] ?? 0) ^ 1;
        writeFileSync(path(), content);
      },
    ],
    ["without its seal", () => writeFileSync(`${path()}.seal.json`, "")],
    ["sealed with nonsense", () => writeFileSync(`${path()}.seal.json`, '{"format": 1}')],
  ])("logs that the saved graph is %s, and rebuilds it", async (_, damage) => {
    const first = open(allRows);
    await first.built();
    first.close();
    damage();
    const second = open(allRows);
    expect(warnings).toEqual([expect.stringContaining("rebuilt")]);
    const query = vectorAt(8);
    expect(second.nearestDefault(query, 10, NOW).found.map(({ row }) => row)).toEqual(
      nearestByBruteForce(query, allRows, 10),
    );
    await second.built();
    expect(
      recall(second.nearestDefault(query, 10, NOW).found, nearestByBruteForce(query, allRows, 10)),
    ).toBeGreaterThan(0.8);
  });

  it("leaves no file behind when it is destroyed", async () => {
    const index = open(allRows);
    await index.built();
    index.close();
    expect(existsSync(path())).toBe(true);
    index.destroy();
    expect(existsSync(path())).toBe(false);
  });
});
