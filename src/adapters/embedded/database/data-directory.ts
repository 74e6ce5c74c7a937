import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { RecollectError } from "../../../domain/errors.ts";
import type { Disk } from "../../../ports/disk.ts";
import { codeOf } from "../../system/disk.ts";

/** What the codes of the operating system mean for a directory that is to be written to. */
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
  /** A write has failed for it, and none was tried since. */
  #isSuspect = false;

  constructor(path: string, disk: Disk) {
    this.path = path;
    this.disk = disk;
  }

  /** Makes it, if it is not there. Throws STORE_UNAVAILABLE, saying what is wrong, when it cannot be written to. */
  prepare(): void {
    try {
      mkdirSync(this.path, { recursive: true });
    } catch (cause) {
      throw this.unusable(codeOf(cause), cause);
    }
    const obstacle = this.disk.obstacle(this.path) ?? this.disk.tryWriting(this.path);
    // What is there on a full disk can still be read and deleted.
    if (obstacle !== undefined && obstacle !== "ENOSPC") throw this.unusable(obstacle);
    const file = join(this.path, DATABASE_FILE);
    const ofFile = existsSync(file) ? this.disk.obstacle(file) : undefined;
    if (ofFile !== undefined) throw this.unusable(ofFile, undefined, `${DATABASE_FILE} in it: `);
  }

  /** What stands in the way of writing now, for an operator; undefined: nothing that is known. */
  get obstacle(): string | undefined {
    const code =
      this.disk.obstacle(this.path) ?? (this.#isSuspect ? this.disk.tryWriting(this.path) : undefined);
    this.#isSuspect = code !== undefined;
    // That the disk is full is said apart, and does not stand in the way of everything.
    return code === undefined || code === "ENOSPC" ? undefined : `cannot be written to: ${meaningOf(code)}`;
  }

  /**
   * `error` with what stands in the way of writing, where that explains it. Without a cause it is no failure of the disk,
   * and says itself what is wrong.
   */
  explain(error: unknown): unknown {
    if (!(error instanceof RecollectError) || error.reason !== "STORE_UNAVAILABLE") return error;
    if (error.cause === undefined) return error;
    this.#isSuspect = true;
    const { obstacle } = this;
    if (obstacle === undefined) return error;
    return new RecollectError("STORE_UNAVAILABLE", `the data directory (DATA_DIR) ${obstacle}`, error.detail);
  }

  /** A start is refused. */
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
