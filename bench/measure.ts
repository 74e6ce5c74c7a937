import type { LoadPlan, LoadResult } from "./load.ts";
import { cpuMicros } from "./proc.ts";
import { median } from "./statistics.ts";
import type { ServerProcess, Workspace } from "./workspace.ts";

/** One run of load on one server. */
export interface Sample {
  readonly callsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly replyBytes: number;
  readonly calls: number;
  readonly errors: number;
  readonly shortReplies: number;
  readonly firstError?: string;
  /** Processor time of the server a call, in microseconds; on Linux only. */
  readonly cpuMicrosPerCall?: number;
  /** Processors used by the server: near 1 (its event loop) or above, the server was the bottleneck. */
  readonly serverBusy?: number;
}

/** Medians of several samples, and sums of errors, which should be zero. */
export type Medians = Omit<Sample, "calls" | "firstError"> & { readonly samples: number };

/** Applies a load to a server and measures its cost. */
export function sample(
  workspace: Workspace,
  server: ServerProcess,
  plan: Omit<LoadPlan, "address">,
): Promise<Sample> {
  return sampled(server.pid, () => workspace.load({ ...plan, address: server.address }));
}

/** Measures the cost of a load for a process. */
export async function sampled(pid: number, load: () => Promise<LoadResult>): Promise<Sample> {
  const before = cpuMicros(pid);
  const result = await load();
  const after = cpuMicros(pid);
  const micros = before === undefined || after === undefined ? undefined : after - before;
  const { seconds, ...rest } = result;
  return {
    ...rest,
    ...(micros === undefined
      ? {}
      : { cpuMicrosPerCall: micros / result.calls, serverBusy: micros / (seconds * 1_000_000) }),
  };
}

/** Medians of all rates and times. */
export function mediansOf(samples: readonly Sample[]): Medians {
  const of = (value: (one: Sample) => number): number => median(samples.map(value));
  const sum = (value: (one: Sample) => number): number => samples.reduce((all, one) => all + value(one), 0);
  const optional = <K extends "cpuMicrosPerCall" | "serverBusy">(key: K): { [P in K]?: number } => {
    const values = samples.flatMap((one) => one[key] ?? []);
    return (values.length === 0 ? {} : { [key]: median(values) }) as { [P in K]?: number };
  };
  return {
    samples: samples.length,
    callsPerSecond: of((one) => one.callsPerSecond),
    p50Ms: of((one) => one.p50Ms),
    p99Ms: of((one) => one.p99Ms),
    replyBytes: of((one) => one.replyBytes),
    errors: sum((one) => one.errors),
    shortReplies: sum((one) => one.shortReplies),
    ...optional("cpuMicrosPerCall"),
    ...optional("serverBusy"),
  };
}
