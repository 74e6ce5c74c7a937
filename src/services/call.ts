import { digest } from "../domain/digest.ts";
import { canonicalJson, type Json } from "../domain/json.ts";
import type { Caller } from "../domain/tenancy.ts";
import type { IdempotentRequest } from "../ports/idempotency.ts";

/** What every use case is told about the call it serves. */
export interface CallContext {
  readonly caller: Caller;
  /** Aborts on cancellation, deadline and shutdown; everything that can wait takes it. */
  readonly signal: AbortSignal;
  /** When the call arrived: milliseconds on the clock of `performance.now`. */
  readonly arrival: number;
  /** When its caller gives up, on the same clock; Infinity: not known. */
  readonly deadline: number;
}

const REQUEST_LIFETIME_MS = 24 * 3600 * 1000;

/**
 * The record of a request that may be repeated; undefined without a request id. The body is what the use case
 * acts on, compared by value.
 */
export function idempotentRequest(
  context: CallContext,
  rpc: string,
  requestId: string | undefined,
  body: object,
  now: number,
): IdempotentRequest | undefined {
  if (requestId === undefined) return undefined;
  const { tenant, principal } = context.caller;
  return {
    key: digest(tenant, principal, rpc, requestId),
    bodyHash: digest(canonicalJson(JSON.parse(JSON.stringify(body)) as Json)),
    expireTime: now + REQUEST_LIFETIME_MS,
  };
}
