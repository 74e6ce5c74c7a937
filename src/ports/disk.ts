import type { DiskSpace } from "../domain/disk-space.ts";

/** The disk of a directory. */
export interface Disk {
  /** Undefined when it does not say. */
  space(directory: string): DiskSpace | undefined;
  /** The error code of what stands in the way of writing to a file, or to a directory and what lies there, such as `EROFS`; undefined: nothing. */
  obstacle(path: string): string | undefined;
  /** The same, found by writing a small file into a directory: a disk that has failed may show in no other way. */
  tryWriting(directory: string): string | undefined;
}
