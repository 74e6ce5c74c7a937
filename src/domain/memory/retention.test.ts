import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DAY, NOW } from "../../../test/support/builders.ts";
import { type Retained, retentionScore } from "./retention.ts";

const YEAR = 365 * DAY;

/** A memory of up to ten years, with up to a million accesses after it was created. */
const retained = fc
  .record({
    age: fc.integer({ min: 1, max: 10 * YEAR }),
    importance: fc.float({ min: 0, max: 1, noNaN: true }),
    accessCount: fc.oneof(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 0, max: 1_000_000 })),
    sinceLast: fc.double({ min: 0, max: 1, noNaN: true }),
  })
  .map(
    ({ age, importance, accessCount, sinceLast }): Retained => ({
      createTime: NOW - age,
      importance,
      pinned: false,
      ...(accessCount === 0
        ? {}
        : { access: { accessCount, lastAccessTime: NOW - Math.floor(age * sinceLast) } }),
    }),
  );

const once = (given: Partial<Retained> = {}): Retained => ({
  createTime: NOW - 30 * DAY,
  importance: 0.5,
  pinned: false,
  ...given,
});

describe("the retention score", () => {
  it("lies between 0 and 1", () => {
    fc.assert(
      fc.property(retained, (one) => {
        const score = retentionScore(one, NOW);
        expect(score).toBeGreaterThan(0);
        expect(score).toBeLessThan(1);
      }),
    );
  });

  // Strictly where the difference is more than the rounding of a double that is close to 1.
  it("never rises while time passes, and falls with each minute", () => {
    fc.assert(
      fc.property(retained, fc.integer({ min: 1, max: YEAR }), (one, later) => {
        expect(retentionScore(one, NOW + later)).toBeLessThanOrEqual(retentionScore(one, NOW));
        expect(retentionScore(one, NOW + later + 60_000)).toBeLessThan(retentionScore(one, NOW));
      }),
    );
  });

  it("is never lower for a memory that was created later, and higher for one created a day later", () => {
    fc.assert(
      fc.property(retained, fc.integer({ min: 1, max: YEAR }), (one, older) => {
        const createdBefore = (ms: number): number =>
          retentionScore({ ...one, createTime: one.createTime - ms }, NOW);
        expect(createdBefore(older)).toBeLessThanOrEqual(retentionScore(one, NOW));
        if ((one.access?.accessCount ?? 0) > 1000) return;
        expect(createdBefore(older + DAY)).toBeLessThan(retentionScore(one, NOW));
      }),
    );
  });

  it("rises with each access", () => {
    fc.assert(
      fc.property(retained, (one) => {
        const { accessCount = 0, lastAccessTime = one.createTime } = one.access ?? {};
        const more = { ...one, access: { accessCount: accessCount + 1, lastAccessTime } };
        expect(retentionScore(more, NOW)).toBeGreaterThan(retentionScore(one, NOW));
      }),
    );
  });

  it("is never lower for a later last access, and higher for one that is a day later", () => {
    fc.assert(
      fc.property(retained, fc.nat({ max: YEAR }), (one, before) => {
        const { access } = one;
        if (access === undefined) return;
        const earlier = Math.max(one.createTime, access.lastAccessTime - before);
        const older = retentionScore({ ...one, access: { ...access, lastAccessTime: earlier } }, NOW);
        expect(older).toBeLessThanOrEqual(retentionScore(one, NOW));
        if (access.accessCount > 1000 || access.lastAccessTime - earlier < DAY) return;
        expect(older).toBeLessThan(retentionScore(one, NOW));
      }),
    );
  });

  it("rises with importance", () => {
    fc.assert(
      fc.property(retained, fc.float({ min: 0, max: 1, noNaN: true }), (one, importance) => {
        const other = retentionScore({ ...one, importance }, NOW);
        const score = retentionScore(one, NOW);
        const expected = Math.sign(importance - one.importance);
        if (Math.abs(importance - one.importance) > 1e-6) expect(Math.sign(other - score)).toBe(expected);
        else expect([expected, 0]).toContain(Math.sign(other - score));
      }),
    );
  });

  it("is 0.5 for importance 0.5 after 30 days without access", () => {
    expect(retentionScore(once(), NOW)).toBeCloseTo(0.5, 5);
  });

  it("follows ACT-R exactly for up to one access", () => {
    const [created, accessed] = [100, 25].map((seconds) => NOW - (seconds - 1) * 1000);
    const memory = { createTime: created ?? 0, importance: 0.5, pinned: false };
    const access = { accessCount: 1, lastAccessTime: accessed ?? 0 };
    const activation = (100 ** -0.5 + 25 ** -0.5) / (30 * 24 * 3600) ** -0.5;
    expect(retentionScore({ ...memory, access }, NOW)).toBeCloseTo(activation / (1 + activation), 12);
  });

  it("is near ACT-R for accesses that are spread evenly", () => {
    const accesses = Array.from({ length: 50 }, (_, at) => NOW - 60 * DAY + ((at + 1) * 59 * DAY) / 50);
    const memory = once({
      createTime: NOW - 60 * DAY,
      access: { accessCount: 50, lastAccessTime: accesses.at(-1) ?? NOW },
    });
    const exact = [memory.createTime, ...accesses]
      .map((time) => ((NOW - time) / 1000) ** -0.5)
      .reduce((sum, part) => sum + part);
    const activation = exact / (30 * 24 * 3600) ** -0.5;
    expect(retentionScore(memory, NOW)).toBeCloseTo(activation / (1 + activation), 2);
  });

  it("gives importance 1 to a memory 16 times as old as importance 0.5", () => {
    const important = once({ importance: 1, createTime: NOW - 16 * 30 * DAY });
    expect(retentionScore(important, NOW)).toBeCloseTo(retentionScore(once(), NOW), 5);
  });

  it("is 1 for a pinned memory, and finite for times in the future", () => {
    expect(retentionScore(once({ pinned: true }), NOW)).toBe(1);
    const future = once({
      createTime: NOW + DAY,
      access: { accessCount: 3, lastAccessTime: NOW + 2 * DAY },
    });
    expect(retentionScore(future, NOW)).toBeLessThan(1);
  });
});
