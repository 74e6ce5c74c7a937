import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type AccessBatch, AccessTally } from "./access-counts.ts";

describe("access counts", () => {
  it("hands over each memory once, with its accesses added up", () => {
    const counts = new AccessTally();
    for (const [id, now] of [
      ["a", 5],
      ["b", 6],
      ["a", 3],
    ] as const)
      counts.add("1", id, now);
    counts.add("2", "a", 9);
    expect(counts.size).toBe(3);
    expect(counts.take()).toEqual(
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
    expect(counts.size).toBe(0);
    expect(counts.take()).toBeUndefined();
  });

  it("knows what is being written until it is settled", () => {
    const counts = new AccessTally();
    counts.add("1", "a", 5);
    const batch = counts.take();
    counts.add("1", "a", 7);
    expect(counts.pending("1", "a")).toEqual({ accessCount: 2, lastAccessTime: 7 });
    if (batch !== undefined) counts.settle(batch);
    expect(counts.pending("1", "a")).toEqual({ accessCount: 1, lastAccessTime: 7 });
  });

  it("shows what is added until the next take, and only that", () => {
    const counts = new AccessTally();
    expect(counts.current("1")).toBeUndefined();
    counts.add("1", "a", 5);
    const current = counts.current("1");
    counts.add("1", "a", 6);
    counts.take();
    counts.add("1", "a", 7);
    expect(current?.get("a")).toEqual({ accessCount: 2, lastAccessTime: 6 });
    expect(counts.current("1")?.get("a")).toEqual({ accessCount: 1, lastAccessTime: 7 });
  });

  it("forgets a memory wherever it stands", () => {
    const counts = new AccessTally();
    counts.add("1", "a", 5);
    const batch = counts.take();
    counts.add("1", "a", 6);
    counts.add("1", "b", 6);
    counts.forget("1", "a");
    expect([counts.pending("1", "a"), counts.size, batch?.get("1")?.size]).toEqual([undefined, 1, 0]);
  });

  it("loses nothing and counts nothing twice, however it is handed over", () => {
    const step = fc.oneof(
      fc.record({ add: fc.constantFrom("a", "b") }),
      fc.constant("take" as const),
      fc.constant("settle" as const),
    );
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const counts = new AccessTally();
        const writing: AccessBatch[] = [];
        let added = 0;
        let written = 0;
        for (const one of steps) {
          if (one === "take") writing.push(...[counts.take()].filter((batch) => batch !== undefined));
          else if (one === "settle") {
            const batch = writing.shift();
            if (batch === undefined) continue;
            for (const { accessCount } of batch.get("1")?.values() ?? []) written += accessCount;
            counts.settle(batch);
          } else {
            counts.add("1", one.add, 0);
            added += 1;
          }
        }
        const pending = ["a", "b"].map((id) => counts.pending("1", id)?.accessCount ?? 0);
        expect(written + pending.reduce((sum, count) => sum + count, 0)).toBe(added);
      }),
      { seed: 1, numRuns: 300 },
    );
  });
});
