import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type AccessBatch, AccessTally } from "./access-counts.ts";

describe("a tally of accesses", () => {
  it("hands over each memory once, with its accesses added up", () => {
    const tally = new AccessTally();
    for (const [id, now] of [
      ["a", 5],
      ["b", 6],
      ["a", 3],
    ] as const)
      tally.add("1", id, now);
    tally.add("2", "a", 9);
    expect(tally.size).toBe(3);
    expect(tally.take()).toEqual(
      new Map([
        [
          "1",
          new Map([
            ["a", { accessCount: 2, lastAccessTime: 5 }],
            ["b", { accessCount: 1, lastAccessTime: 6 }],
          ]),
        ],
        ["2", new Map([["a", { accessCount: 1, lastAccessTime: 9 }]])],
      ]),
    );
    expect(tally.size).toBe(0);
    expect(tally.take()).toBeUndefined();
  });

  it("knows what is being written until it is settled", () => {
    const tally = new AccessTally();
    tally.add("1", "a", 5);
    const batch = tally.take();
    tally.add("1", "a", 7);
    expect(tally.pending("1", "a")).toEqual({ accessCount: 2, lastAccessTime: 7 });
    if (batch !== undefined) tally.settle(batch);
    expect(tally.pending("1", "a")).toEqual({ accessCount: 1, lastAccessTime: 7 });
  });

  it("shows what is added until the next take, and only that", () => {
    const tally = new AccessTally();
    expect(tally.current("1")).toBeUndefined();
    tally.add("1", "a", 5);
    const current = tally.current("1");
    tally.add("1", "a", 6);
    tally.take();
    tally.add("1", "a", 7);
    expect(current?.get("a")).toEqual({ accessCount: 2, lastAccessTime: 6 });
    expect(tally.current("1")?.get("a")).toEqual({ accessCount: 1, lastAccessTime: 7 });
  });

  it("forgets a memory wherever it stands", () => {
    const tally = new AccessTally();
    tally.add("1", "a", 5);
    const batch = tally.take();
    tally.add("1", "a", 6);
    tally.add("1", "b", 6);
    tally.forget("1", "a");
    expect([tally.pending("1", "a"), tally.size, batch?.get("1")?.size]).toEqual([undefined, 1, 0]);
  });

  it("loses nothing and counts nothing twice, however it is handed over", () => {
    const step = fc.oneof(
      fc.record({ add: fc.constantFrom("a", "b") }),
      fc.constant("take" as const),
      fc.constant("settle" as const),
    );
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const tally = new AccessTally();
        const writing: AccessBatch[] = [];
        let added = 0;
        let written = 0;
        for (const one of steps) {
          if (one === "take") writing.push(...[tally.take()].filter((batch) => batch !== undefined));
          else if (one === "settle") {
            const batch = writing.shift();
            if (batch === undefined) continue;
            for (const { accessCount } of batch.get("1")?.values() ?? []) written += accessCount;
            tally.settle(batch);
          } else {
            tally.add("1", one.add, 0);
            added += 1;
          }
        }
        const pending = ["a", "b"].map((id) => tally.pending("1", id)?.accessCount ?? 0);
        expect(written + pending.reduce((sum, count) => sum + count, 0)).toBe(added);
      }),
      { seed: 1, numRuns: 300 },
    );
  });
});
