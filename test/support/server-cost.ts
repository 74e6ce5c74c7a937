import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { startProcess, type TestProcess } from "./start-process.ts";

/** What requests cost a server. */
export interface ServerCost {
  /** The longest blocking of the event loop, in milliseconds. */
  readonly holdMs: number;
  /** Bytes of memory beyond those before. */
  readonly bytes: number;
}

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
  costOf(send: () => Promise<unknown>): Promise<ServerCost>;
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
  const memory = (): Promise<number> => memoryOf(server, "VmRSS");
  const peakMemory = async (): Promise<number> => {
    const peak = await memoryOf(server, "VmHWM");
    // Resets it. https://man7.org/linux/man-pages/man5/proc_pid_clear_refs.5.html
    await writeFile(`/proc/${server.process.pid}/clear_refs`, "5");
    return peak;
  };
  return {
    grpc,
    http: `http://${http}`,
    longestHold: () => longestHold(server),
    memory,
    peakMemory,
    costOf: async (send) => {
      await peakMemory();
      const before = await memory();
      await longestHold(server);
      await send();
      return { holdMs: await longestHold(server), bytes: (await peakMemory()) - before };
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** The lower of two measurements in each respect: other programs on the machine only add to a cost. */
export function lowerCost(one: ServerCost, other: ServerCost): ServerCost {
  return { holdMs: Math.min(one.holdMs, other.holdMs), bytes: Math.min(one.bytes, other.bytes) };
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
