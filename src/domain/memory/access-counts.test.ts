import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type AccessBatch, AccessCountBuffer } from "./access-counts.ts";

describe("the buffer of access counts", () => {
  it("returns each memory once, with the sum of its accesses", () => {
    const counts = new AccessCountBuffer();
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

  it("includes a batch that is being written until it is settled", () => {
    const counts = new AccessCountBuffer();
    counts.add("1", "a", 5);
    const batch = counts.take();
    counts.add("1", "a", 7);
    expect(counts.buffered("1", "a")).toEqual({ accessCount: 2, lastAccessTime: 7 });
    if (batch !== undefined) counts.settle(batch);
    expect(counts.buffered("1", "a")).toEqual({ accessCount: 1, lastAccessTime: 7 });
  });

  it("gives a view of the accesses until the next take, and only of those", () => {
    const counts = new AccessCountBuffer();
    expect(counts.current("1")).toBeUndefined();
    counts.add("1", "a", 5);
    const current = counts.current("1");
    counts.add("1", "a", 6);
    counts.take();
    counts.add("1", "a", 7);
    expect(current?.get("a")).toEqual({ accessCount: 2, lastAccessTime: 6 });
    expect(counts.current("1")?.get("a")).toEqual({ accessCount: 1, lastAccessTime: 7 });
  });

  it("drops the counts of a memory, also in a batch that is being written", () => {
    const counts = new AccessCountBuffer();
    counts.add("1", "a", 5);
    const batch = counts.take();
    counts.add("1", "a", 6);
    counts.add("1", "b", 6);
    counts.forget("1", "a");
    expect([counts.buffered("1", "a"), counts.size, batch?.get("1")?.size]).toEqual([undefined, 1, 0]);
  });

  it("loses no access and counts none twice, in any order of take and settle", () => {
    const step = fc.oneof(
      fc.record({ add: fc.constantFrom("a", "b") }),
      fc.constant("take" as const),
      fc.constant("settle" as const),
    );
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const counts = new AccessCountBuffer();
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
        const buffered = ["a", "b"].map((id) => counts.buffered("1", id)?.accessCount ?? 0);
        expect(written + buffered.reduce((sum, count) => sum + count, 0)).toBe(added);
      }),
      { seed: 1, numRuns: 300 },
    );
  });
});
