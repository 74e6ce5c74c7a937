import type { CaseResult, SizeResult } from "./store-size.ts";

const EXACT_HIT_SHARE = 0.7;
const SEARCH_P50_MS = 5;
/** Memories that the promise about searches speaks of. */
const SEARCH_MEMORIES = 10_000;
/** Replies vary by a few bytes, in ages and ids; more than this share is another answer. */
const REPLY_TOLERANCE = 0.05;
/** A server on one core that is busy for less than this is not at its limit. */
const SATURATED = 0.9;

/** A line for each promise, met or not; and for what was not measured, that. */
export function mustHoldLines(sizes: readonly SizeResult[]): string[] {
  const exact = sizes.map(({ memories, cases }) => {
    const promise = `exact cache hit >= ${EXACT_HIT_SHARE} of echo's throughput at ${memories}`;
    const found = cases.find(({ name }) => name === "exact cache hit");
    if (found === undefined) return `${promise}: not measured`;
    const range = `rounds ${found.ratioMin.toFixed(2)} to ${found.ratioMax.toFixed(2)}`;
    const cpu = found.cpuRatio === undefined ? "" : `; by processor time ${found.cpuRatio.toFixed(2)}`;
    return `${promise}: ${found.ratio.toFixed(2)} (${range}${cpu}), ${verdict(found.ratio >= EXACT_HIT_SHARE)}`;
  });
  const searches = ["search HYBRID", "search VECTOR", "search KEYWORD"].map((wanted) => {
    const promise = `${wanted} p50 < ${SEARCH_P50_MS} ms at ${SEARCH_MEMORIES}`;
    const size = sizes.find(({ memories }) => memories === SEARCH_MEMORIES);
    const found = size?.cases.find(({ name }) => name === wanted);
    if (found === undefined) return `${promise}: not measured`;
    const { serviceSingleP50Ms: p50, echoSingleP50Ms: floor } = found;
    return `${promise}: ${p50.toFixed(2)} ms as the caller sees it (echo ${floor.toFixed(2)} ms), ${verdict(p50 < SEARCH_P50_MS)}`;
  });
  return [...exact, ...searches];
}

/** What makes a figure of this run doubtful; empty when nothing does. */
export function doubts(sizes: readonly SizeResult[]): string[] {
  return sizes.flatMap(({ memories, cases }) =>
    cases.flatMap((one) => doubtsOf(one).map((doubt) => `${one.name} at ${memories}: ${doubt}`)),
  );
}

function doubtsOf({ service, echo }: CaseResult): string[] {
  const found: string[] = [];
  for (const [who, { errors, shortReplies }] of [
    ["service", service],
    ["echo", echo],
  ] as const) {
    if (errors > 0) found.push(`${errors} calls to the ${who} failed`);
    if (shortReplies > 0)
      found.push(`${shortReplies} replies of the ${who} are too short to be what was asked for`);
  }
  const difference = Math.abs(service.replyBytes / echo.replyBytes - 1);
  if (difference > REPLY_TOLERANCE) {
    found.push(
      `replies differ: ${service.replyBytes.toFixed(0)} bytes a call, the echo's ${echo.replyBytes.toFixed(0)}`,
    );
  }
  if (echo.serverBusy !== undefined && echo.serverBusy < SATURATED) {
    found.push(
      `the echo was busy for only ${echo.serverBusy.toFixed(2)} of the time: the load generator or other work on the machine set its pace, so the ratio of throughput flatters the service; compare processor time`,
    );
  }
  return found;
}

function verdict(met: boolean): string {
  return met ? "met" : "not met";
}
