import { accessSync, constants, rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { DiskSpace } from "../../domain/disk-space.ts";
import type { Disk } from "../../ports/disk.ts";

/** What the operating system says: in some microseconds, or some more for a file that is written and removed again. */
export const systemDisk: Disk = {
  space: (directory): DiskSpace | undefined => {
    try {
      const { bavail, blocks, bsize } = statfsSync(directory);
      return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
    } catch {
      // Not every file system says; whoever cannot write there is told by `obstacle`.
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

/** The operating system's code of an error; `UNKNOWN` when it has none. */
export function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "UNKNOWN";
}
