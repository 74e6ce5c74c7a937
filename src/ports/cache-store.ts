import type { CacheEntry } from "../domain/cache/entry.ts";
import type { Neighbour } from "../domain/cache/matching.ts";
import type { Scope } from "../domain/tenancy.ts";
import type { IdempotentRequest } from "./idempotency.ts";

/**
 * Keeps answers. Every method works inside one scope and sees nothing else. A write that has resolved is
 * durable and seen by every later read; a rejected one has changed nothing. Reads leave out what has expired at
 * `now`. Rejects with STORE_UNAVAILABLE, STORE_FULL or STORE_CORRUPT.
 */
export interface CacheStore {
  /** The entry with this id. */
  find(scope: Scope, id: string, now: number): Promise<CacheEntry | undefined>;

  /** The entries of one fingerprint whose prompts are nearest to the vector, nearest first, at most `limit`. */
  nearest(
    scope: Scope,
    query: { readonly fingerprint: string; readonly vector: Float32Array; readonly limit: number },
    now: number,
  ): Promise<Neighbour[]>;

  /**
   * Writes an entry, replacing the one with its id. A vector is of unit length; without one the entry is found
   * by id only. A repeat of a request that was carried out changes nothing and answers what it did.
   * Rejects with REQUEST_ID_REUSED or TOO_MANY_NAMESPACES.
   */
  put(
    scope: Scope,
    entry: CacheEntry,
    options: { readonly vector?: Float32Array; readonly now: number; readonly request?: IdempotentRequest },
  ): Promise<{ readonly replaced: boolean }>;
}
