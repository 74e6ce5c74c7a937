import { type FileHandle, open, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { UsageError } from "./usage-error.ts";

/** Checkpoint of an interrupted export. */
export interface Checkpoint {
  /** Identifies the exported data; a checkpoint of another source is not resumed. */
  readonly source: string;
  /** Bytes of the partial file up to the line of this token. */
  readonly bytes: number;
  readonly count: number;
  readonly resumeToken: string;
}

const BUFFER_CHARACTERS = 1024 * 1024;
const CHECKPOINT_BYTES = 32 * 1024 * 1024;

/**
 * A file that gets its name only when it is complete. Until then it is `FILE.part`, with the checkpoint
 * `FILE.part.resume`, which is written after the lines that it covers are on disk.
 */
export class PartialFile implements AsyncDisposable {
  readonly #path: string;
  readonly #handle: FileHandle;
  #saved: Checkpoint;
  #state: Checkpoint;
  #buffer = "";
  #closed = false;

  private constructor(path: string, handle: FileHandle, state: Checkpoint) {
    this.#path = path;
    this.#handle = handle;
    this.#saved = state;
    this.#state = state;
  }

  /**
   * Creates the partial file, or resumes an existing one.
   *
   * @throws UsageError when FILE cannot be written, or its part is of another source.
   */
  static async open(path: string, source: string): Promise<PartialFile> {
    const target = await stat(path).catch(() => undefined);
    if (target !== undefined && !target.isFile()) {
      throw new UsageError(`${path} is not a file; write to - and send that there`);
    }
    try {
      const earlier = await readCheckpoint(path);
      if (earlier !== undefined && earlier.source !== source) {
        throw new UsageError(
          `${partOf(path)} is of another export (${earlier.source}); repeat that one, or remove ${partOf(path)}`,
        );
      }
      const handle = await open(partOf(path), earlier === undefined ? "w" : "r+");
      if (earlier !== undefined) await handle.truncate(earlier.bytes);
      return new PartialFile(path, handle, earlier ?? { source, bytes: 0, count: 0, resumeToken: "" });
    } catch (error) {
      throw unwritable(path, error);
    }
  }

  /** Lines in it so far. */
  get count(): number {
    return this.#state.count;
  }

  /** Token of the last line; empty before the first. */
  get resumeToken(): string {
    return this.#state.resumeToken;
  }

  async add(line: string, resumeToken: string): Promise<void> {
    this.#buffer += `${line}\n`;
    this.#state = { ...this.#state, count: this.#state.count + 1, resumeToken };
    if (this.#buffer.length < BUFFER_CHARACTERS) return;
    await this.#flush();
    if (this.#state.bytes - this.#saved.bytes >= CHECKPOINT_BYTES) await this.#checkpoint();
  }

  /** Gives the file its name. */
  async complete(): Promise<void> {
    await this.#flush();
    await this.#checkpoint();
    this.#closed = true;
    await this.#guarded(async () => {
      await this.#handle.close();
      await rename(partOf(this.#path), this.#path);
    });
    await rm(checkpointOf(this.#path), { force: true });
  }

  /** Without `complete` the partial file stays for a later resumption, unless it is empty. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    try {
      await this.#flush();
      if (this.#state.count > 0) await this.#checkpoint();
    } finally {
      await this.#handle.close().catch(() => undefined);
    }
    if (this.#state.count === 0) await rm(partOf(this.#path), { force: true });
  }

  async #flush(): Promise<void> {
    if (this.#buffer === "") return;
    const bytes = Buffer.from(this.#buffer);
    this.#buffer = "";
    await this.#guarded(async () => {
      let written = 0;
      while (written < bytes.length) {
        const at = this.#state.bytes + written;
        written += (await this.#handle.write(bytes, written, bytes.length - written, at)).bytesWritten;
      }
    });
    this.#state = { ...this.#state, bytes: this.#state.bytes + bytes.length };
  }

  async #checkpoint(): Promise<void> {
    await this.#guarded(async () => {
      await this.#handle.datasync();
      const next = `${checkpointOf(this.#path)}.new`;
      await writeFile(next, JSON.stringify(this.#state), { flush: true });
      await rename(next, checkpointOf(this.#path));
    });
    this.#saved = this.#state;
  }

  async #guarded(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      throw unwritable(this.#path, error);
    }
  }
}

export function partOf(path: string): string {
  return `${path}.part`;
}

function checkpointOf(path: string): string {
  return `${partOf(path)}.resume`;
}

/** The last checkpoint; undefined without one that matches the partial file, which then starts from the beginning. */
async function readCheckpoint(path: string): Promise<Checkpoint | undefined> {
  const [text, part] = await Promise.all([
    readFile(checkpointOf(path), "utf8").catch(() => undefined),
    stat(partOf(path)).catch(() => undefined),
  ]);
  if (text === undefined || part === undefined) return undefined;
  const checkpoint = parse(text);
  return checkpoint !== undefined && part.size >= checkpoint.bytes ? checkpoint : undefined;
}

function parse(text: string): Checkpoint | undefined {
  try {
    const { source, bytes, count, resumeToken } = JSON.parse(text) as Partial<Checkpoint>;
    return typeof source === "string" &&
      typeof bytes === "number" &&
      typeof count === "number" &&
      typeof resumeToken === "string"
      ? { source, bytes, count, resumeToken }
      : undefined;
  } catch {
    // An invalid checkpoint is ignored.
    return undefined;
  }
}

function unwritable(path: string, error: unknown): unknown {
  if (!(error instanceof Error) || !("code" in error)) return error;
  const reasons: Record<string, string> = {
    ENOENT: "there is no such folder",
    EACCES: "it may not be written",
    ENOSPC: "the disk is full",
  };
  return new UsageError(`${path}: ${reasons[String(error.code)] ?? error.message}`);
}
