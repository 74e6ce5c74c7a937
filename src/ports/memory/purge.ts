import type { NamespaceKey } from "../../domain/access/tenancy.ts";
import type { MemoryFilter } from "../../domain/memory/filter.ts";
import type { IdempotentRequest } from "../idempotency.ts";

/** Deletes many memories; see Memories. */
export interface MemoryPurge {
  /**
   * Deletes what passes the filter, in bounded steps that are each atomic: other calls are served in between, and
   * a crash leaves some deleted. Resolves with how many were deleted. A repeat of a request that was carried out deletes
   * nothing and resolves with the same, though the namespace was not there then or is another one now. Rejects with
   * REQUEST_ID_REUSED.
   */
  run(
    scope: NamespaceKey,
    filter: MemoryFilter,
    options: { readonly now: number; readonly request?: IdempotentRequest },
  ): Promise<number>;
}
