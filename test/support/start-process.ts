import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { embedderSettings } from "./embedder-of-tests.ts";
import { temporaryFolder } from "./temporary-folder.ts";

const ROOT = join(import.meta.dirname, "..", "..");

/** The program in a process of its own, in an empty directory. */
export interface TestProcess extends AsyncDisposable {
  readonly directory: string;
  readonly process: ChildProcess;
  /** Its complete output so far. */
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** Resolves with the first line of standard output that contains the text; rejects when the process ends before. */
  lineWith(text: string): Promise<string>;
  /** Resolves with the exit code when the process has ended. */
  readonly exited: Promise<number | null>;
}

export interface TestProcessOptions {
  /** The command line; `serve` by default. */
  readonly args?: readonly string[];
  /** Files in its directory before it starts, by path. */
  readonly files?: Readonly<Record<string, string>>;
  /** In a terminal of its own (Linux), which is closed when the returned process ends. */
  readonly terminal?: boolean;
}

/** Starts `recollect` with only these variables (and PATH), by default on free ports and with `hashing`. */
export async function startProcess(
  env: Readonly<Record<string, string>> = {},
  { args = ["serve"], files = {}, terminal = false }: TestProcessOptions = {},
): Promise<TestProcess> {
  const folder = await temporaryFolder(files);
  const program = [process.execPath, join(ROOT, "src", "main.ts"), ...args];
  const [command = "", ...rest] = terminal
    ? ["script", "--quiet", "--command", `exec ${program.map((word) => `'${word}'`).join(" ")}`, "/dev/null"]
    : program;
  const isInFiles = Object.values(files).some((content) => /embedding/i.test(content));
  const embedder = isInFiles ? {} : embedderSettings(env);
  const child = spawn(command, rest, {
    cwd: folder.path,
    env: { PATH: process.env["PATH"], GRPC_PORT: "0", HTTP_PORT: "0", ...embedder, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  const lines: string[] = [];
  const waiters = new Set<() => void>();
  createInterface({ input: child.stdout }).on("line", (line) => {
    stdout += `${line}\n`;
    lines.push(line);
    for (const look of waiters) look();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const exited = once(child, "close").then(([code]) => code as number | null);
  return {
    directory: folder.path,
    process: child,
    stdout: () => stdout,
    stderr: () => stderr,
    exited,
    lineWith: (text) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const line = lines.find((one) => one.includes(text));
          if (line === undefined) return;
          waiters.delete(look);
          resolve(line);
        };
        waiters.add(look);
        look();
        void exited.then(() => reject(new Error(`ended without a line with ${text}:\n${stdout}${stderr}`)));
      }),
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await exited;
      await folder[Symbol.asyncDispose]();
    },
  };
}
