import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { Readable, Writable } from "node:stream";
import { text } from "node:stream/consumers";
import pLimit from "p-limit";
import { run } from "../../src/cli/run.ts";

const PROGRAM = join(import.meta.dirname, "..", "..", "src", "main.ts");

export interface EndedCommand {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliOptions {
  /** Address of the server. */
  readonly address: string;
  readonly cwd: string;
  /** Environment variables in addition to PATH and the address. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Commands of this process share its directory and streams, so they run one after another. */
const oneAtATime = pLimit(1);

/**
 * Runs a command with this standard input, in this process: a process of its own takes a third of a second to start.
 * For what only a process shows (signals, pipes that are closed or stay open, the exit code that the shell sees), see
 * `spawnCli`.
 */
export function runCli(args: readonly string[], options: CliOptions, input = ""): Promise<EndedCommand> {
  return oneAtATime(async () => {
    const [stdout, stderr] = [new CollectedOutput(), new CollectedOutput()];
    const stdin = Readable.from(input === "" ? [] : [Buffer.from(input)]);
    const restore = replaceProcess({ stdin, stdout, stderr, env: environmentOf(options) }, options.cwd);
    try {
      await run([process.execPath, PROGRAM, ...args]);
      return { code: Number(process.exitCode ?? 0), stdout: stdout.text, stderr: stderr.text };
    } finally {
      restore();
    }
  });
}

/** Starts the command in a process of its own; the caller uses its streams. */
export function spawnCli(args: readonly string[], options: CliOptions): ChildProcessWithoutNullStreams {
  return spawn(process.execPath, [PROGRAM, ...args], { cwd: options.cwd, env: environmentOf(options) });
}

/** Resolves with the output and the exit code of a process. */
export async function endOf(child: ChildProcessWithoutNullStreams): Promise<EndedCommand> {
  const [stdout, stderr, code] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    new Promise<number | null>((resolve, reject) => child.once("close", resolve).once("error", reject)),
  ]);
  return { code, stdout, stderr };
}

function environmentOf({ address, env }: CliOptions): Record<string, string> {
  return { PATH: process.env["PATH"] ?? "", RECOLLECT_ADDRESS: address, ...env };
}

class CollectedOutput extends Writable {
  readonly #chunks: Buffer[] = [];
  get text(): string {
    return Buffer.concat(this.#chunks).toString();
  }
  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#chunks.push(chunk);
    done();
  }
}

type Replaced = "stdin" | "stdout" | "stderr" | "env";

/** Replaces parts of `process` and its directory; the returned function restores both and the exit code. */
function replaceProcess(parts: Readonly<Record<Replaced, object>>, cwd: string): () => void {
  const names = Object.keys(parts) as Replaced[];
  const before = names.map((name) => Object.getOwnPropertyDescriptor(process, name));
  const [directory, exitCode] = [process.cwd(), process.exitCode];
  for (const name of names) {
    Object.defineProperty(process, name, { value: parts[name], configurable: true, enumerable: true });
  }
  process.exitCode = undefined;
  process.chdir(cwd);
  return () => {
    process.chdir(directory);
    process.exitCode = exitCode;
    for (const [at, name] of names.entries()) Object.defineProperty(process, name, before[at] ?? {});
  };
}
