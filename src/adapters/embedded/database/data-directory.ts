import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { RecollectError } from "../../../domain/errors.ts";
import type { Disk } from "../../../ports/disk.ts";
import { codeOf } from "../../system/disk.ts";

/** Error codes of the operating system, explained for a directory that must be writable. */
const MEANINGS: Readonly<Record<string, string>> = {
  EROFS: "its file system is read-only",
  EACCES: "this user may not read and write it",
  EPERM: "this user may not read and write it",
  ENOTDIR: "it is not a directory, or something on its path is none",
  EEXIST: "it is not a directory",
  ENOENT: "it is not there",
  ENOSPC: "its disk is full",
  EDQUOT: "this user's share of its disk is used up",
};

/** The directory of the embedded store (DATA_DIR). */
export class DataDirectory {
  readonly path: string;
  readonly disk: Disk;
  /** A write has failed, and none was tried since. */
  #isSuspect = false;

  constructor(path: string, disk: Disk) {
    this.path = path;
    this.disk = disk;
  }

  /** Creates the directory if it is missing. Throws STORE_UNAVAILABLE with the reason when it cannot be written to. */
  prepare(): void {
    try {
      mkdirSync(this.path, { recursive: true });
    } catch (cause) {
      throw this.unusable(codeOf(cause), cause);
    }
    const obstacle = this.disk.obstacle(this.path) ?? this.disk.tryWriting(this.path);
    // On a full disk, stored data can still be read and deleted.
    if (obstacle !== undefined && obstacle !== "ENOSPC") throw this.unusable(obstacle);
    const file = join(this.path, DATABASE_FILE);
    const ofFile = existsSync(file) ? this.disk.obstacle(file) : undefined;
    if (ofFile !== undefined) throw this.unusable(ofFile, undefined, `${DATABASE_FILE} in it: `);
  }

  /** Why the directory cannot be written to now, for operators; undefined: no known reason. */
  get obstacle(): string | undefined {
    const code =
      this.disk.obstacle(this.path) ?? (this.#isSuspect ? this.disk.tryWriting(this.path) : undefined);
    this.#isSuspect = code !== undefined;
    // A full disk is reported separately, and does not prevent deletions.
    return code === undefined || code === "ENOSPC" ? undefined : `cannot be written to: ${meaningOf(code)}`;
  }

  /**
   * Replaces `error` by the reason why the directory cannot be written to, where that explains it. An error without a
   * cause is no failure of the disk, and is returned unchanged.
   */
  explain(error: unknown): unknown {
    if (!(error instanceof RecollectError) || error.reason !== "STORE_UNAVAILABLE") return error;
    if (error.cause === undefined) return error;
    this.#isSuspect = true;
    const { obstacle } = this;
    if (obstacle === undefined) return error;
    return new RecollectError("STORE_UNAVAILABLE", `the data directory (DATA_DIR) ${obstacle}`, error.detail);
  }

  /** The error of a refused start. */
  unusable(code: string, cause?: unknown, where = ""): RecollectError {
    return new RecollectError(
      code === "ENOSPC" ? "STORE_FULL" : "STORE_UNAVAILABLE",
      `the data directory (DATA_DIR) ${this.path} cannot be used: ${where}${meaningOf(code)}`,
      { metadata: { backend: "embedded" }, cause },
    );
  }
}

/** The name of the one SQLite file. */
export const DATABASE_FILE = "recollect.db";

function meaningOf(code: string): string {
  const meaning = MEANINGS[code];
  return meaning === undefined ? code : `${meaning} (${code})`;
}
