import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import process from "node:process";
import { UsageError } from "./usage-error.ts";

/** Stands for standard input where a path is expected. */
export const STDIN = "-";

/** Maximum of a valid line: 64 KiB of text and 16 KiB of metadata, escaped sixfold. */
const MAX_LINE_LENGTH = 1024 * 1024;
/** Maximum file size, against exhausting the memory with a file that is no document. */
const MAX_TEXT_BYTES = 64 * 1024 * 1024;

/**
 * Reads a whole file, or standard input for `-`, as UTF-8 text without its byte order mark.
 *
 * @throws UsageError when it cannot be read, is not text, or is larger than 64 MiB.
 */
export async function readText(path: string): Promise<string> {
  let text = "";
  for await (const part of readChunks(path, MAX_TEXT_BYTES)) text += part;
  if (text.includes("\0")) throw new UsageError(`${nameOf(path)} is not text`);
  return text;
}

/**
 * Reads the text that is piped into the command, without the line end that `echo` and here-documents add. On a terminal
 * it fails with the hint `instead`.
 */
export async function readPipedText(instead: string): Promise<string> {
  if (process.stdin.isTTY) throw new UsageError(instead);
  return (await readText(STDIN)).replace(/\r?\n$/, "");
}

/** A line and its number, from 1. */
export interface NumberedLine {
  readonly number: number;
  readonly text: string;
}

/**
 * Streams the lines of a file, or of standard input for `-`. Only line feeds end a line: node:readline would also
 * split at U+2028, which JSON allows inside strings. When the signal aborts, the lines end, without the incomplete line.
 *
 * @throws UsageError when the file cannot be read, is not UTF-8, or has a line longer than a million characters.
 */
export async function* readLines(path: string, signal?: AbortSignal): AsyncGenerator<NumberedLine> {
  let number = 0;
  let rest = "";
  for await (const part of readChunks(path, Number.POSITIVE_INFINITY, signal)) {
    const lines = (rest + part).split("\n");
    rest = lines.pop() ?? "";
    for (const text of lines) yield { number: ++number, text };
    if (rest.length > MAX_LINE_LENGTH) {
      throw new UsageError(`${nameOf(path)}, line ${number + 1}: longer than ${MAX_LINE_LENGTH} characters`);
    }
  }
  if (rest !== "" && signal?.aborted !== true) yield { number: ++number, text: rest };
}

/** Number of lines of a file; undefined for input that can be read only once. */
export async function countLines(path: string): Promise<number | undefined> {
  if (path === STDIN || !(await stat(path)).isFile()) return undefined;
  let count = 0;
  for await (const chunk of createReadStream(path) as AsyncIterable<Uint8Array>) {
    for (let at = chunk.indexOf(LINE_FEED); at >= 0; at = chunk.indexOf(LINE_FEED, at + 1)) count += 1;
  }
  return count;
}

const LINE_FEED = 10;

/**
 * Checks files before the first one is used, so that a misspelt name fails the command before it writes anything.
 *
 * @throws UsageError naming the first that is not a readable file.
 */
export async function requireFiles(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    if (path === STDIN) continue;
    const found = await stat(path).catch((error: unknown) => {
      throw unreadable(path, error);
    });
    if (found.isDirectory()) throw new UsageError(`${path} is a directory; name its files`);
  }
}

/** The name of an input in messages. */
export function nameOf(path: string): string {
  return path === STDIN ? "standard input" : path;
}

async function* readChunks(path: string, maxBytes: number, signal?: AbortSignal): AsyncGenerator<string> {
  const isAborted = (): boolean => signal?.aborted === true;
  // An aborted signal sends no event any more, and the stream would be read to its end.
  if (isAborted()) return;
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const stream = path === STDIN ? process.stdin : createReadStream(path);
  // Standard input that stays open would keep the process alive.
  signal?.addEventListener("abort", () => stream.destroy(), { once: true });
  let bytes = 0;
  try {
    for await (const chunk of stream as AsyncIterable<Uint8Array>) {
      bytes += chunk.byteLength;
      if (bytes > maxBytes) throw new UsageError(`${nameOf(path)} is larger than ${maxBytes} bytes`);
      yield decoder.decode(chunk, { stream: true });
    }
    yield decoder.decode();
  } catch (error) {
    if (isAborted()) return;
    throw unreadable(path, error);
  }
}

function unreadable(path: string, error: unknown): unknown {
  if (!(error instanceof Error) || !("code" in error)) return error;
  const reasons: Record<string, string> = {
    ENOENT: "there is no such file",
    EACCES: "it may not be read",
    EISDIR: "it is a directory",
    ERR_ENCODING_INVALID_ENCODED_DATA: "it is not UTF-8 text",
  };
  return new UsageError(`${nameOf(path)}: ${reasons[String(error.code)] ?? error.message}`);
}
