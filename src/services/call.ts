import type { Caller } from "../domain/access/tenancy.ts";
import { digest, digestInPieces } from "../lib/digest.ts";
import { canonicalJson, type Json } from "../lib/json.ts";
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
  return requestId === undefined
    ? undefined
    : recordedRequest(context, rpc, requestId, [canonicalText(body)], now);
}

/** The same of a body whose canonical text comes in pieces: that of a large one is made bit by bit. */
export function recordedRequest(
  context: CallContext,
  rpc: string,
  requestId: string,
  body: readonly string[],
  now: number,
): IdempotentRequest {
  const { tenant, principal } = context.caller;
  return {
    key: digest(tenant, principal, rpc, requestId),
    bodyHash: digestInPieces(body),
    expireTime: now + REQUEST_LIFETIME_MS,
  };
}

/** A body, or a part of it, by value: without what is undefined, keys in order. */
export function canonicalText(body: object): string {
  return canonicalJson(JSON.parse(JSON.stringify(body)) as Json);
}
