import { readdirSync, readFileSync } from "node:fs";

const NANOSECONDS_PER_MICROSECOND = 1000;

/**
 * Microseconds that all threads of a process have spent on a processor, those of the garbage collector included;
 * undefined where there is no /proc. Unlike the time of day it does not grow while others have the processor.
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

/** Microseconds that the main thread of a process was ready to run, and others had the processor. */
export function waitedMicros(pid: number): number | undefined {
  try {
    return Number(readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ")[1]) / NANOSECONDS_PER_MICROSECOND;
  } catch {
    return undefined;
  }
}

/** Memory of a process that is in RAM, in megabytes; undefined where there is no /proc. */
export function residentMegabytes(pid: number): number | undefined {
  try {
    const kilobytes = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    return kilobytes === undefined ? undefined : Number(kilobytes) / 1024;
  } catch {
    return undefined;
  }
}
