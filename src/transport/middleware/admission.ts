import { RecollectError } from "../../domain/errors.ts";
import { FairShare, type Holding } from "../../domain/load/fair-share.ts";
import type { RpcInstruments } from "../../telemetry/instruments.ts";
import type { Call, Middleware } from "../pipeline.ts";

/** Long enough for many calls to end, short enough that a caller who waits it out has lost nothing. */
const RETRY_AFTER_MS = 1000;

/** How many calls may run in the whole process, on both servers together. */
export interface AdmissionLimits {
  readonly maxConcurrentCalls: number;
  /** Calls that stream in either direction; they may stay open for as long as they like, and have places of their own. */
  readonly maxOpenStreams: number;
}

/**
 * Bounds the calls that run; the next one is refused at once instead of making all others slower. Tenants share the
 * places fairly: one alone may take all of them, and under contention the streams of the one that has most are ended
 * for one that has less than its share. Stands behind authentication, so that strangers do not take places. A place is
 * free again when its handler has ended, not when its caller has gone: what counts is the work.
 */
export function admission(limits: AdmissionLimits, instruments: RpcInstruments): Middleware {
  const open = new Set<Holding>();
  const calls = { places: new FairShare(limits.maxConcurrentCalls), limit: limits.maxConcurrentCalls };
  const streams = { places: new FairShare(limits.maxOpenStreams, () => open), limit: limits.maxOpenStreams };
  return {
    name: "admission",
    begin: (call) => {
      const { places, limit } = call.cut === undefined ? calls : streams;
      const place = placeOf(call, places, limit);
      if (!places.take(place, 1)) throw tooManyCalls(call, limit);
      call.place = place;
      if (call.cut !== undefined) open.add(place);
      instruments.callsInFlight(1);
    },
    end: (call) => {
      const { place } = call;
      if (place !== undefined) {
        (call.cut === undefined ? calls : streams).places.give(place);
        if (call.cut !== undefined) open.delete(place);
      }
      instruments.callsInFlight(-1);
    },
  };
}

function placeOf(call: Call, places: FairShare, limit: number): Holding {
  if (call.caller === undefined) throw new TypeError("admission before authentication");
  const holder = call.caller.tenant;
  const { cut } = call;
  if (cut === undefined) return { holder, amount: 0 };
  const place: Holding = {
    holder,
    amount: 0,
    evict: () => {
      places.give(place);
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
