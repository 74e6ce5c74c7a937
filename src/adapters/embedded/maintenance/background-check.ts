import { execFile } from "node:child_process";
import { constants, setPriority } from "node:os";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { FileFindings } from "./file-check.ts";

/** A check of a file in a process of its own. */
export interface BackgroundCheck {
  /** Rejects when the check failed or was stopped. */
  readonly findings: Promise<FileFindings>;
  /** Resolves when the process has exited. */
  stop(): Promise<void>;
}

/** Bound on the output of the check; longer lists of findings are of no use. */
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;

/** The program in src, or its compiled form. */
const PROGRAM = fileURLToPath(
  new URL(`./file-check-program${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url),
);

/**
 * Checks a file that does not change meanwhile. Runs in a process, not a thread: SQLite cannot be interrupted from
 * outside, so a thread would delay the shutdown of the server for as long as the check takes; a process can also run at
 * low priority, and its memory is freed at its exit.
 */
export function checkInBackground(file: string): BackgroundCheck {
  const running = promisify(execFile)(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", "--max-old-space-size=128", PROGRAM, file],
    { env: { SystemRoot: process.env["SystemRoot"] }, maxBuffer: MAX_OUTPUT_BYTES },
  );
  const findings = running.then(({ stdout }) => JSON.parse(stdout) as FileFindings);
  const exited = findings.then(
    () => undefined,
    () => undefined,
  );
  const { child } = running;
  giveWay(child.pid);
  return {
    findings,
    stop: async () => {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

function giveWay(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    setPriority(pid, constants.priority.PRIORITY_LOW);
  } catch {
    // Not permitted, or the process has exited already: the check is correct at any priority.
  }
}
