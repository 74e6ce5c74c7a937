import process from "node:process";

/** Writes one line for the reader or the next program in a pipe. */
export function print(line: string): void {
  process.stdout.write(`${line}\n`);
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
    });
  }
}
