import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { NOW } from "../../../test/support/builders.ts";
import {
  type ChangeKind,
  changeDigest,
  changesAfter,
  endOfFeed,
  type FeedPosition,
  type FeedRow,
  firstKept,
  type MemoryChange,
  openFeedToken,
  positionAfter,
  sealFeedToken,
} from "./changes.ts";

const KINDS: readonly ChangeKind[] = ["CREATED", "UPDATED", "DELETED", "SUPERSEDED", "EXPIRED"];

/** A feed from its beginning on. Clocks of servers differ, so times need not rise. */
const feeds = fc
  .array(
    fc.record({
      time: fc.integer({ min: NOW, max: NOW + 1000 }),
      kind: fc.constantFrom(...KINDS),
      memoryId: fc.constantFrom("a", "b", "1", "11"),
    }),
    { maxLength: 30 },
  )
  .map((changes): FeedRow[] => [
    { sequence: 0, time: NOW },
    ...changes.map((change, at) => ({ ...change, sequence: at + 1 })),
  ]);

const stored = (rows: readonly FeedRow[], from: number, limit = 1000) => ({
  incarnation: "i",
  last: rows.at(-1)?.sequence ?? 0,
  rows: rows.filter(({ sequence }) => sequence >= from).slice(0, limit + 1),
});
const positionOf = (row: FeedRow): FeedPosition =>
  endOfFeed({ incarnation: "i", newest: row.sequence === 0 ? undefined : row });

describe("changesAfter", () => {
  it("gives each change once, in order, from any position and in pages of any size", () => {
    fc.assert(
      fc.property(feeds, fc.nat(), fc.integer({ min: 1, max: 7 }), (rows, start, limit) => {
        const first = rows[start % rows.length] ?? rows[0];
        if (first === undefined) return;
        let position = positionOf(first);
        const given: MemoryChange[] = [];
        for (let count = limit; count > 0; ) {
          const read = changesAfter(position, stored(rows, position.sequence, limit));
          if (read.kind === "lost") throw new Error(read.cause);
          given.push(...read.changes);
          position = read.position;
          count = read.changes.length;
        }
        expect(given).toEqual(rows.slice(first.sequence + 1));
      }),
    );
  });

  it("gives nothing when any change after the position is missing, or another one has its place", () => {
    fc.assert(
      fc.property(feeds, fc.nat(), fc.nat(), (rows, at, cut) => {
        const row = rows[at % rows.length];
        if (row === undefined) return;
        const position = positionOf(row);
        const first = cut % rows.length;
        const trimmed = changesAfter(position, stored(rows.slice(first), position.sequence));
        expect(trimmed.kind).toBe(first <= row.sequence ? "changes" : "lost");
        // The store went back to before this change, and other changes were written since.
        const others = rows.map(
          (one): FeedRow => (one.sequence === 0 ? one : { ...one, time: one.time + 5000 }),
        );
        const restored = changesAfter(position, stored(others, position.sequence));
        expect(restored.kind).toBe(row.sequence === 0 ? "changes" : "lost");
        if (row.sequence > 0)
          expect(changesAfter(position, stored(rows.slice(0, row.sequence), position.sequence))).toEqual({
            kind: "lost",
            cause: "store_replaced",
          });
        expect(changesAfter(position, undefined)).toEqual({ kind: "lost", cause: "namespace_deleted" });
        expect(changesAfter(position, { ...stored(rows, 0), incarnation: "j" })).toEqual({
          kind: "lost",
          cause: "namespace_deleted",
        });
      }),
    );
  });
});

describe("firstKept", () => {
  const limits = fc.record({
    maxChanges: fc.integer({ min: 1, max: 40 }),
    retentionMs: fc.integer({ min: 1, max: 1500 }),
  });

  it("keeps every position within the limits, and the newest row always", () => {
    fc.assert(
      fc.property(feeds, limits, fc.integer({ min: 0, max: 3000 }), (rows, limit, later) => {
        const last = rows.at(-1)?.sequence ?? 0;
        const first = firstKept(rows, last, limit, NOW + later);
        expect(first).toBeLessThanOrEqual(last);
        for (const { sequence } of rows) {
          const following = rows.slice(sequence + 1);
          const isWithin = following.every(({ time }) => time > NOW + later - limit.retentionMs);
          if (following.length <= limit.maxChanges && isWithin) expect(first).toBeLessThanOrEqual(sequence);
          // The number of changes is exact, whatever the times.
          if (following.length > limit.maxChanges) expect(first).toBeGreaterThan(sequence);
        }
      }),
    );
  });

  it("comes to the same with a part of the rows at a time", () => {
    fc.assert(
      fc.property(feeds, limits, fc.integer({ min: 2, max: 5 }), (rows, limit, step) => {
        const last = rows.at(-1)?.sequence ?? 0;
        let left = rows;
        for (let round = 0; round < rows.length; round += 1) {
          const first = firstKept(left.slice(0, step), last, limit, NOW + 1200);
          left = left.filter(({ sequence }) => sequence >= first);
        }
        expect(left[0]?.sequence).toBe(firstKept(rows, last, limit, NOW + 1200));
      }),
    );
  });
});

describe("a resume token", () => {
  const change: MemoryChange = { sequence: 7, time: NOW, kind: "UPDATED", memoryId: "m1" };
  const position = positionAfter("i", change);

  it("gives back the position, for its own feed only", () => {
    const token = sealFeedToken(position, "one");
    expect(openFeedToken(token, "one")).toEqual(position);
    expect(token.length).toBeLessThan(1024);
    for (const wrong of [() => openFeedToken(token, "other"), () => openFeedToken(`${token}x`, "one")])
      expect(wrong).toThrow(expect.objectContaining({ reason: "PAGE_TOKEN_INVALID" }));
  });

  it("is refused when it is anything else", () => {
    const seal = (parts: unknown): string => Buffer.from(JSON.stringify(parts)).toString("base64url");
    const own = JSON.parse(Buffer.from(sealFeedToken(position, "f"), "base64url").toString()) as unknown[];
    const wrong = ["", "x", seal({}), seal([]), ...[-1, 0.5, "7", null].map((n) => seal(own.with(2, n)))];
    for (const token of wrong)
      expect(() => openFeedToken(token, "f")).toThrow(
        expect.objectContaining({ reason: "PAGE_TOKEN_INVALID" }),
      );
  });

  it("has a digest that differs in each field of the change", () => {
    const others: readonly Partial<MemoryChange>[] = [
      { sequence: 8 },
      { time: NOW + 1 },
      { kind: "DELETED" },
      { memoryId: "m2" },
    ];
    const digests = [change, ...others.map((other) => ({ ...change, ...other }))].map(changeDigest);
    expect(new Set(digests).size).toBe(5);
  });
});
