/**
 * A request that may be repeated. The store keeps its outcome as an idempotency record, written in the same atomic step
 * as the change itself, until `expireTime`; a repeat finds the record and changes nothing.
 */
export interface IdempotentRequest {
  /** Tenant, principal, RPC and request_id, digested. Unique within a namespace. */
  readonly key: string;
  /** Digest of the request; another body under the same key is refused with REQUEST_ID_REUSED. */
  readonly bodyHash: string;
  /** Milliseconds since the epoch. */
  readonly expireTime: number;
}
