import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { text } from "node:stream/consumers";

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

/** Starts the command in a process of its own; the caller uses its streams. */
export function spawnCli(args: readonly string[], options: CliOptions): ChildProcessWithoutNullStreams {
  return spawn(process.execPath, [PROGRAM, ...args], {
    cwd: options.cwd,
    env: { PATH: process.env["PATH"] ?? "", RECOLLECT_ADDRESS: options.address, ...options.env },
  });
}

/** Resolves with the output and the exit code of a command. */
export async function endOf(child: ChildProcessWithoutNullStreams): Promise<EndedCommand> {
  const [stdout, stderr, code] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    new Promise<number | null>((resolve, reject) => child.once("close", resolve).once("error", reject)),
  ]);
  return { code, stdout, stderr };
}

/** Runs a command with this standard input. */
export function runCli(args: readonly string[], options: CliOptions, input = ""): Promise<EndedCommand> {
  const child = spawnCli(args, options);
  child.stdin.end(input);
  return endOf(child);
}
