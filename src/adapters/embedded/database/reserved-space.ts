import { randomFillSync } from "node:crypto";
import { appendFileSync, rmSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { planReservedSpace, RESERVED_SIZES, type ReservedSizes } from "../../../domain/disk-space.ts";
import type { DataDirectory } from "./data-directory.ts";

/** Bytes of one write. */
const CHUNK_BYTES = 1024 * 1024;

/** A missing part smaller than this is not restored by itself. */
const WORTHWHILE_BYTES = CHUNK_BYTES;

/**
 * A file beside the database that reserves disk space; it is deleted to make space for a deletion on a full disk. It is
 * filled with random bytes: a compressing file system would reserve nothing for zeros. `planReservedSpace` computes the
 * size.
 */
export class ReservedSpace {
  readonly #directory: DataDirectory;
  readonly #sizes: ReservedSizes;
  readonly #path: string;
  /** Size of the file in bytes; while it is released, the size that it had. */
  #storedBytes: number;
  #mayGrow = true;

  /** Reads the size of an existing file; `restore` creates it. */
  constructor(directory: DataDirectory, sizes: ReservedSizes = RESERVED_SIZES) {
    this.#directory = directory;
    this.#sizes = sizes;
    this.#path = join(directory.path, "space-for-deletions");
    this.#storedBytes = this.bytes;
  }

  /** Bytes that are reserved now. A sparse file, as some copies create it, reserves nothing. */
  get bytes(): number {
    const found = statSync(this.#path, { throwIfNoEntry: false });
    return found === undefined || found.blocks * BLOCK_BYTES < found.size ? 0 : found.size;
  }

  get wantedBytes(): number {
    return this.#sizes.reservedBytes;
  }

  /** Size of the WAL in bytes beyond which a checkpoint runs at once. */
  get maxLogBytes(): number {
    return this.#sizes.logBytes;
  }

  /** Whether the database file may grow. */
  get mayGrow(): boolean {
    return this.#mayGrow;
  }

  get isShort(): boolean {
    return !this.#mayGrow || this.#storedBytes < this.#sizes.reservedBytes;
  }

  /** Undefined when the file system does not report it. */
  get freeBytes(): number | undefined {
    return this.#directory.disk.space(this.#directory.path)?.freeBytes;
  }

  /** Deletes the file, to make space for a deletion; call `restore` afterwards. */
  release(): void {
    this.#storedBytes = this.bytes;
    this.#mayGrow = true;
    rmSync(this.#path, { force: true });
  }

  /** Creates the file again, as large as the disk allows beside a WAL of this size. */
  restore(logFileBytes: number): void {
    const { freeBytes } = this;
    if (freeBytes === undefined) return;
    const { bytes } = this;
    // A released file counts as present, so that it is restored as large as possible.
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
      // Another process took the space, or the disk cannot be written to: /ready reports the actual size.
    }
  }
}

/** The unit of `stat.blocks`, whatever the block size of the file system. */
const BLOCK_BYTES = 512;
