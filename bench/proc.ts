import { readdirSync, readFileSync } from "node:fs";

const NANOSECONDS_PER_MICROSECOND = 1000;

/**
 * Processor time of all threads of a process in microseconds, including the garbage collector; undefined without /proc.
 * Unlike wall-clock time it does not grow while other processes have the processor.
 */
export function cpuMicros(pid: number): number | undefined {
  try {
    const tasks = `/proc/${pid}/task`;
    const nanoseconds = readdirSync(tasks).map((task) =>
      Number(readFileSync(`${tasks}/${task}/schedstat`, "utf8").split(" ")[0]),
    );
    return nanoseconds.reduce((sum, one) => sum + one, 0) / NANOSECONDS_PER_MICROSECOND;
  } catch {
    return undefined;
  }
}

/** Microseconds in which the main thread of a process was runnable while other processes had the processor. */
export function waitedMicros(pid: number): number | undefined {
  try {
    return Number(readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ")[1]) / NANOSECONDS_PER_MICROSECOND;
  } catch {
    return undefined;
  }
}

/** Resident memory of a process in megabytes; undefined without /proc. */
export function residentMegabytes(pid: number): number | undefined {
  try {
    const kilobytes = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    return kilobytes === undefined ? undefined : Number(kilobytes) / 1024;
  } catch {
    return undefined;
  }
}
