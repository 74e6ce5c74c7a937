import { statSync, truncateSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Disk } from "../../../ports/disk.ts";
import { DataDirectory } from "./data-directory.ts";
import { ReservedSpace } from "./reserved-space.ts";

const MIB = 1024 * 1024;
const SIZES = { reservedBytes: 4 * MIB, logBytes: 2 * MIB };

let path: string;
beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), "recollect-reserved-"));
});
afterEach(async () => {
  await rm(path, { recursive: true });
});

const file = (): string => join(path, "space-for-deletions");

/** A disk that would have so much free space without the reserved file. */
const reservedOn = (roomBytes: () => number): ReservedSpace => {
  const disk: Disk = {
    space: () => {
      const present = statSync(file(), { throwIfNoEntry: false })?.size ?? 0;
      return { freeBytes: roomBytes() - present, totalBytes: 100 * MIB };
    },
    obstacle: () => undefined,
    tryWriting: () => undefined,
  };
  return new ReservedSpace(new DataDirectory(path, disk), SIZES);
};

describe("the reserved space", () => {
  it("is a file of real blocks, released and restored completely while the disk has space", () => {
    const reserved = reservedOn(() => 50 * MIB);
    expect(reserved.isShort).toBe(true);
    reserved.restore(0);
    expect(reserved.bytes).toBe(4 * MIB);
    expect(statSync(file()).blocks * 512).toBeGreaterThanOrEqual(4 * MIB);
    expect(reserved.isShort).toBe(false);
    reserved.release();
    expect(reserved.bytes).toBe(0);
    reserved.restore(0);
    expect(reserved.bytes).toBe(4 * MIB);
    expect(reserved.mayGrow).toBe(true);
  });

  it("is as large as the disk allows beside the WAL, and grows with the free space", () => {
    let room = 50 * MIB;
    const reserved = reservedOn(() => room);
    reserved.restore(0);
    room = 5 * MIB;
    reserved.release();
    reserved.restore(0);
    expect({ bytes: reserved.bytes, mayGrow: reserved.mayGrow }).toEqual({ bytes: 3 * MIB, mayGrow: false });
    // The WAL has taken the space that was left for it, which changes nothing.
    room = 4 * MIB;
    reserved.restore(MIB);
    expect({ bytes: reserved.bytes, mayGrow: reserved.mayGrow }).toEqual({ bytes: 3 * MIB, mayGrow: false });
    room = 6 * MIB;
    reserved.restore(MIB);
    expect({ bytes: reserved.bytes, mayGrow: reserved.mayGrow }).toEqual({ bytes: 4 * MIB, mayGrow: true });
  });

  it("continues with the size that the previous start left", () => {
    let room = 50 * MIB;
    reservedOn(() => room).restore(0);
    room = 5 * MIB;
    const next = reservedOn(() => room);
    next.restore(0);
    expect({ bytes: next.bytes, mayGrow: next.mayGrow }).toEqual({ bytes: 4 * MIB, mayGrow: false });
  });

  it("is not created on a disk that is too small for it, where writes continue", () => {
    const reserved = reservedOn(() => 5 * MIB);
    reserved.restore(0);
    expect({ bytes: reserved.bytes, mayGrow: reserved.mayGrow }).toEqual({ bytes: 0, mayGrow: true });
  });

  it("does not count a sparse file as space", async () => {
    await writeFile(file(), "");
    truncateSync(file(), 4 * MIB);
    const reserved = reservedOn(() => 50 * MIB);
    expect(reserved.bytes).toBe(0);
    reserved.restore(0);
    expect(reserved.bytes).toBe(4 * MIB);
  });
});
