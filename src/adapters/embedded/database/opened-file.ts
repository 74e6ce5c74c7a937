import { type Stats, statSync } from "node:fs";
import { RecollectError } from "../../../domain/errors.ts";
import { codeOf } from "../../system/disk.ts";

/**
 * Detects that an open file was removed or replaced. The operating system keeps such a file for the processes that have
 * it open: reads and writes still succeed, and all data is lost when this process exits.
 */
export class OpenedFile {
  readonly #path: string;
  readonly #onLost: () => void;
  readonly #device: number;
  readonly #inode: number;
  #isLost = false;

  /** `onLost` is called when the file is first found missing, and again after each time that it reappeared. */
  constructor(path: string, onLost: () => void) {
    const { dev, ino } = statSync(path);
    this.#path = path;
    this.#onLost = onLost;
    this.#device = dev;
    this.#inode = ino;
  }

  /** Throws STORE_UNAVAILABLE when the path no longer leads to the open file. Takes some microseconds. */
  verify(): void {
    const now = this.#look();
    const isLost = now?.dev !== this.#device || now.ino !== this.#inode;
    if (isLost && !this.#isLost) this.#onLost();
    this.#isLost = isLost;
    if (!isLost) return;
    throw new RecollectError(
      "STORE_UNAVAILABLE",
      `${this.#path} was removed or replaced while it was open, and what is written would be lost with it: put it back, ` +
        "or restart the service on what is there now",
      { metadata: { backend: "embedded" }, retryAfterMs: 1000 },
    );
  }

  /** Undefined: the file does not exist. */
  #look(): Stats | undefined {
    try {
      return statSync(this.#path, { throwIfNoEntry: false });
    } catch (cause) {
      throw new RecollectError("STORE_UNAVAILABLE", `${this.#path} cannot be reached: ${codeOf(cause)}`, {
        metadata: { backend: "embedded" },
        retryAfterMs: 1000,
        cause,
      });
    }
  }
}
