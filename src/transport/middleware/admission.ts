import { RecollectError } from "../../domain/errors.ts";
import type { RpcInstruments } from "../../telemetry/instruments.ts";
import type { Middleware } from "../pipeline.ts";

/** Long enough for many calls to end, short enough that a caller who waits it out has lost nothing. */
const RETRY_AFTER_MS = 1000;

/**
 * At most so many calls in flight, of all callers and through both doors together; the next one is refused at once
 * instead of making all others slower. Stands behind authentication, so that strangers do not take the places, and
 * before the message is decoded, which is where a call begins to cost. A place is free again when its handler has
 * ended, not when its caller has gone: what counts is the work.
 */
export function admission(maxConcurrentCalls: number, instruments: RpcInstruments): Middleware {
  let inFlight = 0;
  return {
    name: "admission",
    begin: () => {
      if (inFlight >= maxConcurrentCalls) {
        throw new RecollectError(
          "TOO_MANY_CALLS",
          `${maxConcurrentCalls} calls are running, which is the limit`,
          {
            metadata: { limit: String(maxConcurrentCalls) },
            retryAfterMs: RETRY_AFTER_MS,
          },
        );
      }
      inFlight += 1;
      instruments.callsInFlight(1);
    },
    end: () => {
      inFlight -= 1;
      instruments.callsInFlight(-1);
    },
  };
}
