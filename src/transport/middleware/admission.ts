import { RecollectError } from "../../domain/errors.ts";
import { type Allocation, FairShare } from "../../domain/load/fair-share.ts";
import type { RpcInstruments } from "../../telemetry/instruments.ts";
import type { Call, Middleware } from "../pipeline.ts";
import { isWatch } from "./watches.ts";

/** RetryInfo: many calls end within a second. */
const RETRY_AFTER_MS = 1000;

/** Maximum number of running calls in the whole process, on both servers together. */
export interface AdmissionLimits {
  readonly maxConcurrentCalls: number;
  /**
   * Calls that stream in either direction, but for watches. They have a limit of their own because they may stay open without
   * end.
   */
  readonly maxOpenStreams: number;
}

/**
 * Limits the calls that run at a time, and refuses further ones with TOO_MANY_CALLS. Tenants share the limit fairly: one
 * alone may use all of it, and under contention the streams of the tenant with the most are ended for one that has less
 * than its share. Comes after authentication, so that unknown callers use none of it. A call counts until its handler has
 * ended, also when its caller has disconnected before.
 */
export function admission(limits: AdmissionLimits, instruments: RpcInstruments): Middleware {
  const open = new Set<Allocation>();
  const calls = { places: new FairShare(limits.maxConcurrentCalls), limit: limits.maxConcurrentCalls };
  const streams = { places: new FairShare(limits.maxOpenStreams, () => open), limit: limits.maxOpenStreams };
  const allocate = (call: Call): void => {
    const { places, limit } = call.cut === undefined ? calls : streams;
    const place = placeOf(call, places, limit);
    if (!places.allocate(place, 1)) throw tooManyCalls(call, limit);
    call.place = place;
    if (call.cut !== undefined) open.add(place);
  };
  return {
    name: "admission",
    begin: (call) => {
      if (!isWatch(call.method)) allocate(call);
      instruments.callsInFlight(1);
    },
    end: (call) => {
      const { place } = call;
      if (place !== undefined) {
        (call.cut === undefined ? calls : streams).places.release(place);
        if (call.cut !== undefined) open.delete(place);
      }
      instruments.callsInFlight(-1);
    },
  };
}

function placeOf(call: Call, places: FairShare, limit: number): Allocation {
  if (call.caller === undefined) throw new TypeError("admission before authentication");
  const owner = call.caller.tenant;
  const { cut } = call;
  if (cut === undefined) return { owner, amount: 0 };
  const place: Allocation = {
    owner,
    amount: 0,
    evict: () => {
      places.release(place);
      cut(tooManyCalls(call, limit));
    },
  };
  return place;
}

function tooManyCalls(call: Call, limit: number): RecollectError {
  const what = call.cut === undefined ? "calls" : "streams";
  return new RecollectError(
    "TOO_MANY_CALLS",
    `${limit} ${what} are open, which is the limit, and the tenant has its share of them`,
    { metadata: { limit: String(limit), of: what }, retryAfterMs: RETRY_AFTER_MS },
  );
}
