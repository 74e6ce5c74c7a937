import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { lowSpaceBound, planReservedSpace, RESERVED_SIZES, spaceWarnings } from "./disk-space.ts";

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
const { reservedBytes, logBytes } = RESERVED_SIZES;
const WHOLE = { bytes: reservedBytes, wantedBytes: reservedBytes, mayGrow: true };

describe("the space reserved for deletions", () => {
  const bytes = fc.integer({ min: 0, max: 64 * MIB });
  const now = fc.record({ freeBytes: bytes, presentBytes: bytes, logFileBytes: bytes });

  it("is never more than there is room for beside the log, and never more than is wanted", () => {
    fc.assert(
      fc.property(now, (space) => {
        const { bytes: planned } = planReservedSpace(space, RESERVED_SIZES);
        const room = space.freeBytes + space.presentBytes + space.logFileBytes;
        expect(planned).toBeGreaterThanOrEqual(0);
        expect(planned).toBeLessThanOrEqual(reservedBytes);
        expect(planned).toBeLessThanOrEqual(room);
        expect(planned + logBytes <= room || planned <= reservedBytes / 2).toBe(true);
      }),
    );
  });

  it("is whole, and the file may grow, exactly when there is room for it and the log", () => {
    fc.assert(
      fc.property(now, (space) => {
        const room = space.freeBytes + space.presentBytes + space.logFileBytes;
        const plan = planReservedSpace(space, RESERVED_SIZES);
        expect(plan.bytes === reservedBytes).toBe(room >= reservedBytes + logBytes);
        expect(plan.mayGrow).toBe(plan.bytes === reservedBytes || space.presentBytes === 0);
      }),
    );
  });

  it("does not get less by being used: what a file that may not grow gives and takes is all it has", () => {
    fc.assert(
      fc.property(now, bytes, (space, moved) => {
        const plan = planReservedSpace(space, RESERVED_SIZES);
        if (plan.mayGrow) return;
        const rest = space.freeBytes + space.presentBytes + space.logFileBytes - plan.bytes;
        const logFileBytes = Math.min(moved, rest);
        const after = { freeBytes: rest - logFileBytes, presentBytes: plan.bytes, logFileBytes };
        if (plan.bytes > 0) expect(planReservedSpace(after, RESERVED_SIZES).bytes).toBe(plan.bytes);
      }),
    );
  });
});

describe("the warnings of a disk", () => {
  it("come below a twentieth of it, but not below 256 MiB, and not above 16 GiB", () => {
    expect(lowSpaceBound(GIB)).toBe(256 * MIB);
    expect(lowSpaceBound(100 * GIB)).toBe(5 * GIB);
    expect(lowSpaceBound(10_000 * GIB)).toBe(16 * GIB);
  });

  it("are none while there is room", () => {
    expect(spaceWarnings({ freeBytes: 6 * GIB, totalBytes: 100 * GIB }, WHOLE)).toEqual([]);
    expect(spaceWarnings(undefined, WHOLE)).toEqual([]);
  });

  it("name the free space, the reserved space, and that the file may not grow", () => {
    const space = { freeBytes: 4 * GIB, totalBytes: 100 * GIB };
    expect(spaceWarnings(space, WHOLE)).toEqual([
      "the disk of DATA_DIR has 4096 MiB free of 102400 MiB: when it is full, everything but reads and deletions is refused (STORE_FULL)",
    ]);
    expect(spaceWarnings(undefined, { ...WHOLE, bytes: 12 * MIB, mayGrow: false })).toEqual([
      "the disk of DATA_DIR is full: new data goes only into space that deletions have freed",
      "DATA_DIR reserves 12 MiB of the 16 MiB for deletions on a full disk: it has no room for the rest",
    ]);
  });
});
