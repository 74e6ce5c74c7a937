import { describe, expect, it } from "vitest";
import { LookupCounts } from "./lookup-counts.ts";

const A = { tenant: "t", namespace: "a" };
const B = { tenant: "t", namespace: "b" };

describe("LookupCounts", () => {
  it("counts by namespace, with the latest use of each entry", () => {
    const counts = new LookupCounts();
    counts.add(A, { kind: "EXACT", id: "e1" }, 5);
    counts.add(A, { kind: "SEMANTIC", id: "e1" }, 9);
    // The clock of a call that began earlier.
    counts.add(A, { kind: "EXACT", id: "e1" }, 7);
    counts.add(A, { kind: "MISS" }, 10);
    counts.add(B, { kind: "EXACT", id: "e1" }, 6);
    expect(counts.size).toBe(5);
    expect(counts.take()).toEqual([
      {
        scope: A,
        exactHits: 2,
        semanticHits: 1,
        misses: 1,
        details: new Map(),
        uses: new Map([["e1", { count: 3, lastUseTime: 9 }]]),
      },
      {
        scope: B,
        exactHits: 1,
        semanticHits: 0,
        misses: 0,
        details: new Map(),
        uses: new Map([["e1", { count: 1, lastUseTime: 6 }]]),
      },
    ]);
  });

  it("is empty after take", () => {
    const counts = new LookupCounts();
    counts.add(A, { kind: "MISS" }, 1);
    const first = counts.take();
    counts.add(A, { kind: "EXACT", id: "e1" }, 2);
    expect(first).toMatchObject([{ misses: 1, exactHits: 0 }]);
    expect(counts.take()).toMatchObject([{ misses: 0, exactHits: 1 }]);
    expect([counts.size, counts.take()]).toEqual([0, []]);
  });

  it("drops one namespace and keeps the others", () => {
    const counts = new LookupCounts();
    for (const scope of [A, A, B]) counts.add(scope, { kind: "MISS" }, 1);
    counts.forget(A);
    counts.forget({ tenant: "t", namespace: "never seen" });
    expect(counts.size).toBe(1);
    expect(counts.take()).toMatchObject([{ scope: B, misses: 1 }]);
  });
});
