import type { NamespaceKey } from "../../domain/access/tenancy.ts";
import type { StoredCachePolicy } from "../../domain/cache/policy.ts";
import type { IdempotentRequest } from "../idempotency.ts";

/**
 * The cache policy of each namespace, which is deleted with it. A write that has resolved is durable, and every later lookup
 * of the CacheStore returns it, also in other processes on the same store. Rejects with STORE_UNAVAILABLE, STORE_FULL or
 * STORE_CORRUPT.
 */
export interface CachePolicyStore {
  /** NO_CACHE_POLICY for a namespace that does not exist, or whose policy was never changed. */
  get(namespaceKey: NamespaceKey): Promise<StoredCachePolicy>;

  /**
   * Replaces the policy whose etag (see cachePolicyEtag) is `expectedEtag`, and creates the namespace if it does not exist.
   * Rejects with ETAG_MISMATCH when the policy has another one, and with TOO_MANY_NAMESPACES. A replay of a completed request
   * changes nothing and resolves with the policy as it now is; REQUEST_ID_REUSED for another body.
   */
  replace(
    namespaceKey: NamespaceKey,
    expectedEtag: string,
    policy: StoredCachePolicy,
    options: { readonly now: number; readonly request?: IdempotentRequest },
  ): Promise<StoredCachePolicy>;
}
