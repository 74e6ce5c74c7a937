// The labelled groups that bench/quality/compaction.ts measures with.

import { describe, expect, it } from "vitest";
import { labelOf, type MemoryGroup, readMemoryGroups } from "../../bench/quality/memory-groups.ts";

const groups = readMemoryGroups();

function labels(of: readonly MemoryGroup[]): Record<string, number> {
  const counts: Record<string, number> = { merge: 0, supersede: 0, keep: 0 };
  for (const { memories } of of) {
    for (const [at, one] of memories.entries())
      for (const other of memories.slice(at + 1))
        counts[labelOf(one, other).label] = (counts[labelOf(one, other).label] ?? 0) + 1;
  }
  return counts;
}

describe("the labelled groups of memories", () => {
  it("are at least 150, of many kinds, with each label in both halves", () => {
    expect(groups.length).toBeGreaterThanOrEqual(150);
    expect(new Set(groups.map(({ kind }) => kind)).size).toBeGreaterThanOrEqual(25);
    for (const half of [0, 1]) {
      const { merge, supersede, keep } = labels(groups.filter(({ id }) => Number(id) % 2 === half));
      expect(merge).toBeGreaterThanOrEqual(20);
      expect(supersede).toBeGreaterThanOrEqual(20);
      expect(keep).toBeGreaterThanOrEqual(200);
    }
  });

  it("have two to four memories, equal texts of equal facts, and updates that are newer", () => {
    for (const { id, memories } of groups) {
      expect(memories.length, id).toBeGreaterThanOrEqual(2);
      expect(memories.length, id).toBeLessThanOrEqual(4);
      const facts = Map.groupBy(memories, ({ text }) => text);
      for (const [text, equal] of facts) expect(new Set(equal.map(({ fact }) => fact)).size, text).toBe(1);
      for (const one of memories) {
        for (const other of memories) {
          if (one.replaces === "" || one.replaces !== other.fact) continue;
          expect(one.time, `${id}: ${one.text}`).toBeGreaterThan(other.time);
        }
      }
    }
  });
});
