import type { LoadPlan, LoadResult } from "./load.ts";
import { cpuMicros } from "./proc.ts";
import type { ServerProcess, Workspace } from "./workspace.ts";

/** One run of load on one server. */
export interface Sample extends LoadResult {
  /** Processor time of the server a call, in microseconds; on Linux only. */
  readonly cpuMicrosPerCall?: number;
}

/** Applies a load to a server and measures its cost. */
export async function sample(
  workspace: Workspace,
  server: ServerProcess,
  plan: Omit<LoadPlan, "address">,
): Promise<Sample> {
  const before = cpuMicros(server.pid);
  const result = await workspace.load({ ...plan, address: server.address });
  const after = cpuMicros(server.pid);
  if (before === undefined || after === undefined) return result;
  return { ...result, cpuMicrosPerCall: (after - before) / result.calls };
}
