import type { NamespaceKey } from "../domain/access/tenancy.ts";
import type { IdempotentRequest } from "./idempotency.ts";

/** Counts of the contents of a namespace. */
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
  /** Names in byte order, after `after` (exclusive). */
  list(tenant: string, options: { readonly after: string; readonly limit: number }): Promise<string[]>;

  /** All zero for a namespace that does not exist. */
  counts(namespaceKey: NamespaceKey): Promise<NamespaceCounts>;

  /**
   * Deletes a namespace with its contents, in one atomic step, and resolves with their counts. A replay of a completed
   * request deletes nothing and resolves with the same counts. Rejects with REQUEST_ID_REUSED.
   */
  delete(
    namespaceKey: NamespaceKey,
    options: { readonly now: number; readonly request?: IdempotentRequest },
  ): Promise<NamespaceCounts>;
}
