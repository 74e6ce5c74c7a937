import type { Caller } from "../domain/access/tenancy.ts";
import { digest, digestInPieces } from "../lib/digest.ts";
import { canonicalJson, type Json } from "../lib/json.ts";
import type { IdempotentRequest } from "../ports/idempotency.ts";

/** The context of a call, which every use case gets. */
export interface CallContext {
  readonly caller: Caller;
  /** Aborts on cancellation, deadline and shutdown; passed to every asynchronous operation. */
  readonly signal: AbortSignal;
  /** When the call arrived: milliseconds on the clock of `performance.now`. */
  readonly arrival: number;
  /** The caller's deadline, on the same clock; Infinity: none. */
  readonly deadline: number;
}

const REQUEST_LIFETIME_MS = 24 * 3600 * 1000;

/**
 * The idempotent request of a call; undefined without a request id. `body` is the input of the use case, compared by value.
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

/** As idempotentRequest, with the canonical text of the body in pieces, so that a large one can be made step by step. */
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

/** The canonical text of a body or a part of it: without undefined fields, keys sorted. */
export function canonicalText(body: object): string {
  return canonicalJson(JSON.parse(JSON.stringify(body)) as Json);
}
