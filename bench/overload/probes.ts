import { request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { residentMegabytes } from "../proc.ts";

/** Results of probes and scrapes during the load. */
export interface ProbeResult {
  readonly probes: number;
  readonly failed: number;
  readonly healthMaxMs: number;
  readonly metricsMaxMs: number;
  readonly residentMaxMegabytes: number | undefined;
}

const PERIOD_MS = 200;
const TIMEOUT_MS = 60_000;

/** Requests /health and /metrics, each over a connection of its own, until the returned function is called. */
export function startProbes(httpAddress: string, pid: number): () => Promise<ProbeResult> {
  const stopped = new AbortController();
  const probing = probe(httpAddress, pid, stopped.signal);
  return () => {
    stopped.abort();
    return probing;
  };
}

async function probe(httpAddress: string, pid: number, stopped: AbortSignal): Promise<ProbeResult> {
  const durations = { "/health": [0], "/metrics": [0] };
  let failed = 0;
  let resident = residentMegabytes(pid);
  const asked: Promise<void>[] = [];
  for (let at = 0; !stopped.aborted; at += 1) {
    const path = at % 2 === 0 ? "/health" : "/metrics";
    // Concurrently: a slow probe must not delay the next one.
    asked.push(
      ask(`http://${httpAddress}${path}`).then(
        (milliseconds) => void durations[path].push(milliseconds),
        () => {
          failed += 1;
        },
      ),
    );
    resident = Math.max(resident ?? 0, residentMegabytes(pid) ?? 0);
    await sleep(PERIOD_MS);
  }
  await Promise.all(asked);
  return {
    probes: asked.length,
    failed,
    healthMaxMs: Math.max(...durations["/health"]),
    metricsMaxMs: Math.max(...durations["/metrics"]),
    residentMaxMegabytes: resident === 0 ? undefined : resident,
  };
}

/** Milliseconds until the complete response. */
function ask(url: string): Promise<number> {
  const begin = performance.now();
  return new Promise((resolve, reject) => {
    const asking = request(url, { agent: false, timeout: TIMEOUT_MS }, (response) => {
      response.resume();
      response.on("error", reject);
      response.on("end", () => {
        if (response.statusCode === 200) resolve(performance.now() - begin);
        else reject(new Error(`status ${response.statusCode}`));
      });
    });
    asking.on("timeout", () => asking.destroy(new Error("no answer")));
    asking.on("error", reject);
    asking.end();
  });
}
