import { once } from "node:events";
import process from "node:process";

const closed = new AbortController();

/** Aborts when the reader of standard output closes the pipe, such as `| head`. */
export const outputClosed: AbortSignal = closed.signal;

/** Writes one line to standard output. */
export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** The same with backpressure, for output of any length. */
export async function printPaced(line: string): Promise<void> {
  if (process.stdout.write(`${line}\n`) || outputClosed.aborted) return;
  try {
    await once(process.stdout, "drain", { signal: outputClosed });
  } catch (error) {
    if (!outputClosed.aborted) throw error;
  }
}

/** Writes one line to standard error. */
export function printError(line: string): void {
  process.stderr.write(`${line}\n`);
}

/**
 * Handles a closed pipe (`recollect memory search … | head -1`) without an error, and lets a server stop gracefully
 * when its terminal was closed (EIO).
 */
export function tolerateClosedPipes(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE" && error.code !== "EIO") throw error;
      if (stream === process.stdout) closed.abort();
    });
  }
}
