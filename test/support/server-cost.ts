import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { startProcess, type TestProcess } from "./start-process.ts";

/** The server process, with externally measured cost (Linux). */
export interface MeasuredServer extends AsyncDisposable {
  readonly grpc: string;
  readonly http: string;
  /** Longest blocking of the event loop since the last call, in milliseconds. */
  longestHold(): Promise<number>;
  /** Bytes of resident memory. */
  memory(): Promise<number>;
  /** Its maximum since the last call. */
  peakMemory(): Promise<number>;
}

export async function startMeasured(
  env: Readonly<Record<string, string>> = {},
  files: Readonly<Record<string, string>> = {},
): Promise<MeasuredServer> {
  const server = await startProcess(
    { NODE_OPTIONS: `--import=${join(import.meta.dirname, "loop-monitor.mjs")}`, LOG_LEVEL: "info", ...env },
    { files },
  );
  const { grpc, http } = JSON.parse(await server.lineWith('"serving"')) as { grpc: string; http: string };
  return {
    grpc,
    http: `http://${http}`,
    longestHold: () => longestHold(server),
    memory: () => memoryOf(server, "VmRSS"),
    peakMemory: async () => {
      const peak = await memoryOf(server, "VmHWM");
      // Resets it. https://man7.org/linux/man-pages/man5/proc_pid_clear_refs.5.html
      await writeFile(`/proc/${server.process.pid}/clear_refs`, "5");
      return peak;
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

async function longestHold(server: TestProcess): Promise<number> {
  const before = server.stderr().split("loop ").length;
  server.process.kill("SIGUSR2");
  while (server.stderr().split("loop ").length === before || !server.stderr().endsWith("\n"))
    await new Promise((resolve) => setImmediate(resolve));
  const last = server.stderr().trimEnd().split("loop ").at(-1) ?? "";
  return (JSON.parse(last) as { maxMs: number }).maxMs;
}

async function memoryOf(server: TestProcess, name: "VmHWM" | "VmRSS"): Promise<number> {
  const status = await readFile(`/proc/${server.process.pid}/status`, "utf8");
  return Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1]) * 1024;
}
