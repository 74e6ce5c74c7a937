/**
 * A request that can be retried safely. The store writes an idempotency record of its outcome in the same atomic step as
 * the change itself, valid until `expireTime`; a replay finds the record and changes nothing.
 */
export interface IdempotentRequest {
  /** Tenant, principal, RPC and request_id, digested. Unique within a namespace. */
  readonly key: string;
  /** Digest of the body; another body with the same key is refused with REQUEST_ID_REUSED. */
  readonly bodyHash: string;
  /** Milliseconds since the epoch. */
  readonly expireTime: number;
}
