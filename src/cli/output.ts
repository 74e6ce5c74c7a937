import { once } from "node:events";
import process from "node:process";

const closed = new AbortController();

/** Aborts when the reader of standard output has gone: `| head` has seen enough. */
export const readerGone: AbortSignal = closed.signal;

/** Writes one line for the reader or the next program in a pipe. */
export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** The same at the reader's pace, for output of any length. */
export async function printPaced(line: string): Promise<void> {
  if (process.stdout.write(`${line}\n`) || readerGone.aborted) return;
  try {
    await once(process.stdout, "drain", { signal: readerGone });
  } catch (error) {
    if (!readerGone.aborted) throw error;
  }
}

/** Writes one line that must not mix with results. */
export function printError(line: string): void {
  process.stderr.write(`${line}\n`);
}

/**
 * Makes `recollect memory search … | head -1` end quietly when the reader has seen enough, and lets a server stop in
 * order when its terminal was closed (EIO).
 */
export function tolerateClosedPipes(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE" && error.code !== "EIO") throw error;
      if (stream === process.stdout) closed.abort();
    });
  }
}
