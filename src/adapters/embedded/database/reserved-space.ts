import { randomFillSync } from "node:crypto";
import { appendFileSync, rmSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { planReservedSpace, RESERVED_SIZES, type ReservedSizes } from "../../../domain/disk-space.ts";
import type { DataDirectory } from "./data-directory.ts";

/** Written at once. */
const CHUNK_BYTES = 1024 * 1024;

/** Less than this is not worth a look at the file. */
const WORTHWHILE_BYTES = CHUNK_BYTES;

/**
 * A file beside the database that holds nothing but space, which is given up for a deletion on a full disk. It is filled
 * with noise: of zeros, a file system that compresses would keep nothing back. How much, `planReservedSpace` says.
 */
export class ReservedSpace {
  readonly #directory: DataDirectory;
  readonly #sizes: ReservedSizes;
  readonly #path: string;
  /** What it had, or has, when it is not given up. */
  #storedBytes: number;
  #mayGrow = true;

  /** Looks at what is there; `restore` makes it. */
  constructor(directory: DataDirectory, sizes: ReservedSizes = RESERVED_SIZES) {
    this.#directory = directory;
    this.#sizes = sizes;
    this.#path = join(directory.path, "space-for-deletions");
    this.#storedBytes = this.bytes;
  }

  /** What is kept back now. A file with holes, as a careless copy leaves it, keeps nothing back. */
  get bytes(): number {
    const found = statSync(this.#path, { throwIfNoEntry: false });
    return found === undefined || found.blocks * BLOCK_BYTES < found.size ? 0 : found.size;
  }

  get wantedBytes(): number {
    return this.#sizes.reservedBytes;
  }

  /** Bytes of the log beyond which it is to be moved into the file at once. */
  get maxLogBytes(): number {
    return this.#sizes.logBytes;
  }

  /** Whether the database may take more of the disk. */
  get mayGrow(): boolean {
    return this.#mayGrow;
  }

  get isShort(): boolean {
    return !this.#mayGrow || this.#storedBytes < this.#sizes.reservedBytes;
  }

  /** Undefined when the disk does not say. */
  get freeBytes(): number | undefined {
    return this.#directory.disk.space(this.#directory.path)?.freeBytes;
  }

  /** Gives it up, for a deletion; `restore` follows. */
  release(): void {
    this.#storedBytes = this.bytes;
    this.#mayGrow = true;
    rmSync(this.#path, { force: true });
  }

  /** Makes it again, as large as there is room for beside a log of this size. */
  restore(logFileBytes: number): void {
    const { freeBytes } = this;
    if (freeBytes === undefined) return;
    const { bytes } = this;
    // One that was given up counts as there, so that it is made again as large as can be.
    const room = {
      freeBytes: freeBytes + bytes - this.#storedBytes,
      presentBytes: this.#storedBytes,
      logFileBytes,
    };
    const plan = planReservedSpace(room, this.#sizes);
    this.#mayGrow = plan.mayGrow;
    const wanted = Math.max(bytes, plan.bytes);
    if (wanted === this.#sizes.reservedBytes || wanted - bytes >= WORTHWHILE_BYTES) this.#fill(bytes, wanted);
    this.#storedBytes = this.bytes;
  }

  #fill(from: number, to: number): void {
    try {
      if (from === 0) rmSync(this.#path, { force: true });
      for (let at = from; at < to; at += CHUNK_BYTES) {
        appendFileSync(this.#path, randomFillSync(Buffer.allocUnsafe(Math.min(CHUNK_BYTES, to - at))));
      }
      if (this.bytes > this.#sizes.reservedBytes) truncateSync(this.#path, this.#sizes.reservedBytes);
    } catch {
      // Others took the room, or nothing can be written here any more: what there is of it is what /ready says.
    }
  }
}

/** In which stat counts, whatever the file system has. */
const BLOCK_BYTES = 512;
