import type { NamespaceKey } from "../domain/access/tenancy.ts";
import type { IdempotentRequest } from "./idempotency.ts";

/** What a namespace holds. */
export interface NamespaceCounts {
  /** Memories in any state; expired ones until they are swept. */
  readonly memories: number;
  /** Answers in the cache; expired ones until they are swept. */
  readonly cacheEntries: number;
}

/**
 * The namespaces of a tenant. One is created by its first write and exists until it is deleted. Rejects with
 * STORE_UNAVAILABLE, STORE_FULL or STORE_CORRUPT.
 */
export interface NamespaceStore {
  /** Names in order of their bytes, from behind `after` (exclusive) on. */
  list(tenant: string, options: { readonly after: string; readonly limit: number }): Promise<string[]>;

  /** All zero for a namespace that is not there. */
  counts(scope: NamespaceKey): Promise<NamespaceCounts>;

  /**
   * Deletes a namespace with everything in it, in one atomic step, and resolves with what it held. A repeat of a
   * request that was carried out deletes nothing and resolves with the same. Rejects with REQUEST_ID_REUSED.
   */
  delete(
    scope: NamespaceKey,
    options: { readonly now: number; readonly request?: IdempotentRequest },
  ): Promise<NamespaceCounts>;
}
