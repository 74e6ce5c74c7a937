import { accessSync, constants, rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { DiskSpace } from "../../domain/disk-space.ts";
import type { Disk } from "../../ports/disk.ts";

/** The disk according to the operating system. Calls take some microseconds; tryWriting writes and removes a file. */
export const systemDisk: Disk = {
  space: (directory): DiskSpace | undefined => {
    try {
      const { bavail, blocks, bsize } = statfsSync(directory);
      return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
    } catch {
      // Some file systems do not support it; `obstacle` reports other errors.
      return undefined;
    }
  },
  obstacle: (path) => {
    try {
      accessSync(path, constants.R_OK | constants.W_OK);
      return undefined;
    } catch (error) {
      return codeOf(error);
    }
  },
  tryWriting: (directory) => {
    const path = join(directory, "try-writing");
    try {
      writeFileSync(path, "x");
      rmSync(path, { force: true });
      return undefined;
    } catch (error) {
      return codeOf(error);
    }
  },
};

/** The error code of the operating system; `UNKNOWN` without one. */
export function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "UNKNOWN";
}
