import { describe, expect, it } from "vitest";
import { LookupTally } from "./lookup-counts.ts";

const A = { tenant: "t", namespace: "a" };
const B = { tenant: "t", namespace: "b" };

describe("LookupTally", () => {
  it("adds up by namespace, and keeps the latest use of each entry", () => {
    const tally = new LookupTally();
    tally.add(A, { kind: "EXACT", id: "e1" }, 5);
    tally.add(A, { kind: "SEMANTIC", id: "e1" }, 9);
    // The clock of a call that began earlier.
    tally.add(A, { kind: "EXACT", id: "e1" }, 7);
    tally.add(A, { kind: "MISS" }, 10);
    tally.add(B, { kind: "EXACT", id: "e1" }, 6);
    expect(tally.size).toBe(5);
    expect(tally.take()).toEqual([
      { scope: A, exactHits: 2, semanticHits: 1, misses: 1, lastUses: new Map([["e1", 9]]) },
      { scope: B, exactHits: 1, semanticHits: 0, misses: 0, lastUses: new Map([["e1", 6]]) },
    ]);
  });

  it("forgets what was taken", () => {
    const tally = new LookupTally();
    tally.add(A, { kind: "MISS" }, 1);
    const first = tally.take();
    tally.add(A, { kind: "EXACT", id: "e1" }, 2);
    expect(first).toMatchObject([{ misses: 1, exactHits: 0 }]);
    expect(tally.take()).toMatchObject([{ misses: 0, exactHits: 1 }]);
    expect([tally.size, tally.take()]).toEqual([0, []]);
  });

  it("drops one namespace and keeps the others", () => {
    const tally = new LookupTally();
    for (const scope of [A, A, B]) tally.add(scope, { kind: "MISS" }, 1);
    tally.forget(A);
    tally.forget({ tenant: "t", namespace: "never seen" });
    expect(tally.size).toBe(1);
    expect(tally.take()).toMatchObject([{ scope: B, misses: 1 }]);
  });
});
