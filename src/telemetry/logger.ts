import { mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { destination, type Logger, multistream, pino } from "pino";

export interface LogOptions {
  readonly level: string;
  readonly format: "json" | "text";
  /** Additional log file. */
  readonly file: string | undefined;
}

export interface LogOutput extends AsyncDisposable {
  readonly log: Logger;
}

/**
 * Lines are written together, when there are 256 KiB or after a tenth of a second: a write of its own for each line of
 * a busy server costs more than what most calls do (measured: a fifth of an exact cache hit). A process that is killed
 * loses the lines of that time; one that exits with an error does not.
 */
const WRITING = {
  sync: false,
  minLength: 262_144,
  maxWrite: 1_048_576,
  periodicFlush: 100,
  // In text mode, sonic-boom would copy the whole buffer for each line.
  contentMode: "buffer",
} as const;

/**
 * Opens the log: standard output and, if asked, a file. Each line bears `environment`. Levels are upper-case words, so that
 * grep ERROR works.
 */
export function openLog(options: LogOptions, environment: string): LogOutput {
  const standard = survived(destination({ dest: 1, ...WRITING }), "standard output");
  const file = options.file === undefined ? undefined : openFile(options.file);
  const streams = [standard, ...(file === undefined ? [] : [file])];
  const log = pino(
    {
      level: options.level,
      base: { environment },
      timestamp: isoTime,
      formatters: { level: (label) => ({ level: label.toUpperCase() }) },
    },
    options.format === "json"
      ? file === undefined
        ? linesTo(standard)
        : multistream(streams.map((stream) => ({ level: "trace" as const, stream: linesTo(stream) })))
      : multistream([
          { level: "trace", stream: linesTo(standard, asText) },
          ...(file === undefined ? [] : [{ level: "trace" as const, stream: linesTo(file) }]),
        ]),
  );
  const flush = (): void => {
    for (const stream of streams) if (!unwritable.has(stream)) stream.flushSync();
  };
  process.once("exit", flush);
  return {
    log,
    [Symbol.asyncDispose]: async () => {
      process.off("exit", flush);
      await Promise.all(streams.map(closed));
    },
  };
}

/** The time of a line, as pino's isoTime writes it; lines of one millisecond share the text. */
function isoTime(): string {
  const now = Date.now();
  if (now !== lastTime.now) lastTime = { now, text: `,"time":"${new Date(now).toISOString()}"` };
  return lastTime.text;
}
let lastTime = { now: 0, text: "" };

type Stream = ReturnType<typeof destination>;

/** The destination of pino: the stream, which accepts bytes although it is typed for text. */
function linesTo(
  stream: Stream,
  spelled: (line: string) => string = (line) => line,
): { write: (line: string) => void } {
  return { write: (line) => void stream.write(Buffer.from(spelled(line)) as unknown as string) };
}

/**
 * A log that cannot be written must not stop the service: without a listener the first error, a full disk say, would
 * end the process. The error is reported once, on stderr.
 */
function survived(stream: Stream, name: string): Stream {
  stream.on("error", (error: Error) => {
    if (unwritable.has(stream)) return;
    unwritable.add(stream);
    // The flushSync of sonic-boom retries without end, and pino calls it at exit: the process would never end.
    stream.flushSync = () => undefined;
    process.stderr.write(`recollect: the log cannot be written to ${name}: ${error.message}\n`);
  });
  return stream;
}

/** Failed streams: their buffered lines will never be written, and are not waited for. */
const unwritable = new WeakSet<Stream>();

/** Ends a stream and waits until everything is written, or cannot be; standard output itself stays open. */
function closed(stream: Stream): Promise<void> {
  if (unwritable.has(stream)) {
    stream.destroy();
    return Promise.resolve();
  }
  return new Promise((resolve) => {
    stream.once("close", resolve);
    stream.once("error", () => resolve());
    stream.end();
  });
}

function openFile(path: string): Stream {
  mkdirSync(dirname(path), { recursive: true });
  // Opened here: a path that cannot be written is an error now, and a flush can come before the first line.
  return survived(destination({ dest: openSync(path, "a"), ...WRITING }), path);
}

/** A text line: time, level, message, then the fields. The stack of an error follows on separate lines. */
function asText(line: string): string {
  const {
    time,
    level,
    msg,
    environment: _environment,
    err,
    ...fields
  } = JSON.parse(line) as Record<string, unknown>;
  const shown = Object.entries(fields).map(
    ([key, value]) => `${key}=${typeof value === "string" ? value : JSON.stringify(value)}`,
  );
  return `${[time, level, msg, ...shown].join(" ")}${errorText(err)}\n`;
}

function errorText(error: unknown): string {
  if (error === undefined) return "";
  const { stack } = error as { readonly stack?: string };
  const text = stack === undefined || stack === "" ? JSON.stringify(error) : stack;
  return `\n${text.replaceAll(/^/gm, "    ")}`;
}
