import { execFile } from "node:child_process";
import { constants, setPriority } from "node:os";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { FileFindings } from "./file-check.ts";

/** A check of a file that runs in a process of its own. */
export interface BackgroundCheck {
  /** Rejects when the check could not be made, or was stopped. */
  readonly findings: Promise<FileFindings>;
  /** Resolves when the process has exited. */
  stop(): Promise<void>;
}

/** More findings than this are of no use to anyone. */
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;

/** As it stands in src, or as it was compiled. */
const PROGRAM = fileURLToPath(
  new URL(`./file-check-program${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url),
);

/**
 * Checks a file that does not change meanwhile. In a process and not a thread: SQLite cannot be interrupted from
 * outside, so a thread would hold up the end of the server for as long as the check takes; and a process can give way
 * to everything else, and takes its memory with it.
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
    // Not allowed here, or the process has ended already: the check is the same at any priority.
  }
}
