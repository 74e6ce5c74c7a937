import type { DiskSpace } from "../domain/disk-space.ts";

/** The disk of a directory. */
export interface Disk {
  /** Undefined: unknown. */
  space(directory: string): DiskSpace | undefined;
  /** The error code that prevents writing to a file or directory, such as `EROFS`; undefined: none. Checks permissions only. */
  obstacle(path: string): string | undefined;
  /** As `obstacle`, by writing a small file into a directory: some disk failures show only then. */
  tryWriting(directory: string): string | undefined;
}
