import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DEFAULT_POLICY, goesFirst, maxAffected, PROTECTED_IMPORTANCE, protects } from "./policy.ts";

const HOUR = 3_600_000;
const NOW = Date.UTC(2026, 5, 1);

function memory(ageHours: number, changes: object = {}) {
  return { pinned: false, importance: 0.5, createTime: NOW - ageHours * HOUR, ...changes };
}

describe("protects", () => {
  it("keeps what is pinned, recent, or important and young enough", () => {
    expect(protects(memory(1000, { pinned: true }), DEFAULT_POLICY, NOW)).toBe("PINNED");
    expect(protects(memory(23), DEFAULT_POLICY, NOW)).toBe("RECENT");
    expect(protects(memory(24), DEFAULT_POLICY, NOW)).toBeUndefined();
    expect(protects(memory(167, { importance: 0.7 }), DEFAULT_POLICY, NOW)).toBe("IMPORTANT");
    expect(protects(memory(168, { importance: 0.7 }), DEFAULT_POLICY, NOW)).toBeUndefined();
    expect(protects(memory(100, { importance: 0.69 }), DEFAULT_POLICY, NOW)).toBeUndefined();
  });

  it("counts the age from the event time when there is one", () => {
    expect(protects(memory(1, { eventTime: NOW - 100 * HOUR }), DEFAULT_POLICY, NOW)).toBeUndefined();
    expect(protects(memory(100, { eventTime: NOW + HOUR }), DEFAULT_POLICY, NOW)).toBe("RECENT");
  });

  it("never stops protecting for more importance, a pin or a shorter age", () => {
    const age = fc.integer({ min: 0, max: 400 });
    const importance = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(age, age, importance, importance, (hours, less, low, more) => {
        if (protects(memory(hours, { importance: low }), DEFAULT_POLICY, NOW) === undefined) return;
        const other = memory(Math.min(hours, less), { importance: Math.max(low, more) });
        expect(protects(other, DEFAULT_POLICY, NOW)).toBeDefined();
        expect(protects({ ...other, pinned: true }, DEFAULT_POLICY, NOW)).toBe("PINNED");
      }),
    );
    expect(PROTECTED_IMPORTANCE).toBe(0.7);
  });
});

describe("the limits of a run", () => {
  it("allow 20 memories, or the share of the scope when that is more", () => {
    expect(maxAffected(10, DEFAULT_POLICY)).toBe(20);
    expect(maxAffected(999, DEFAULT_POLICY)).toBe(99);
    expect(maxAffected(999, { ...DEFAULT_POLICY, maxAffectedFraction: 1 })).toBe(999);
  });

  it("let the unimportant go first", () => {
    expect(goesFirst({ importance: 0.29 }, DEFAULT_POLICY)).toBe(true);
    expect(goesFirst({ importance: 0.3 }, DEFAULT_POLICY)).toBe(false);
  });
});
