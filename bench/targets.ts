import type { CaseResult, SizeResult } from "./store-size.ts";

const EXACT_HIT_SHARE = 0.7;
const SEARCH_P50_MS = 5;
/** Number of memories of the search target. */
const SEARCH_MEMORIES = 10_000;
/** Replies vary by a few bytes, in ages and ids; a larger difference means different replies. */
const REPLY_TOLERANCE = 0.05;
/** A server on one core that is busy for a smaller share is not saturated. */
const SATURATED = 0.9;

/** A line for each target: met, not met, or not measured. */
export function targetLines(sizes: readonly SizeResult[]): string[] {
  const exact = sizes.map(({ memories, cases }) => {
    const target = `exact cache hit >= ${EXACT_HIT_SHARE} of echo's throughput at ${memories}`;
    const found = cases.find(({ name }) => name === "exact cache hit");
    if (found === undefined) return `${target}: not measured`;
    const range = `rounds ${found.ratioMin.toFixed(2)} to ${found.ratioMax.toFixed(2)}`;
    const cpu = found.cpuRatio === undefined ? "" : `; by processor time ${found.cpuRatio.toFixed(2)}`;
    return `${target}: ${found.ratio.toFixed(2)} (${range}${cpu}), ${verdict(found.ratio >= EXACT_HIT_SHARE)}`;
  });
  const searches = ["search HYBRID", "search VECTOR", "search KEYWORD"].map((wanted) => {
    const target = `${wanted} p50 < ${SEARCH_P50_MS} ms at ${SEARCH_MEMORIES}`;
    const size = sizes.find(({ memories }) => memories === SEARCH_MEMORIES);
    const found = size?.cases.find(({ name }) => name === wanted);
    if (found === undefined) return `${target}: not measured`;
    const { serviceSingleP50Ms: p50, echoSingleP50Ms: floor } = found;
    return `${target}: ${p50.toFixed(2)} ms as the caller sees it (echo ${floor.toFixed(2)} ms), ${verdict(p50 < SEARCH_P50_MS)}`;
  });
  return [...exact, ...searches];
}

/** Warnings about unreliable figures of this run. */
export function warnings(sizes: readonly SizeResult[]): string[] {
  return sizes.flatMap(({ memories, cases }) =>
    cases.flatMap((one) => warningsOf(one).map((warning) => `${one.name} at ${memories}: ${warning}`)),
  );
}

function warningsOf({ service, echo }: CaseResult): string[] {
  const found: string[] = [];
  for (const [who, { errors, shortReplies }] of [
    ["service", service],
    ["echo", echo],
  ] as const) {
    if (errors > 0) found.push(`${errors} calls to the ${who} failed`);
    if (shortReplies > 0) found.push(`${shortReplies} replies of the ${who} are too short`);
  }
  const difference = Math.abs(service.replyBytes / echo.replyBytes - 1);
  if (difference > REPLY_TOLERANCE) {
    found.push(
      `replies differ: ${service.replyBytes.toFixed(0)} bytes a call, the echo's ${echo.replyBytes.toFixed(0)}`,
    );
  }
  if (echo.serverBusy !== undefined && echo.serverBusy < SATURATED) {
    found.push(
      `the echo was busy for only ${echo.serverBusy.toFixed(2)} of the time: the load generator or other processes were the bottleneck, so the throughput ratio is too high; compare processor time`,
    );
  }
  return found;
}

function verdict(met: boolean): string {
  return met ? "met" : "not met";
}
